/* confab trace: the messages of one token, hop by hop. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/flat_json.h"
#include "base/iso_time.h"
#include "base/msgpack/map.h"
#include "base/vocabulary.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/folder.h"
#include "cli/secret.h"

#define NAME "trace"
#define POLL_US INT64_C(100000)
#define REMEMBERED 4096 /* messages whose first hop is known */

static const char usage[] =
    "Usage: confab trace [--count N] [--for SECONDS] -t TOKEN\n\n"
    "Follows the messages of a token through the running server of the data folder:\n"
    "prints a line for each hop, until Ctrl-C. A hop is the time, what happened, the\n"
    "thing, the message's id (-: it has none yet, or the bytes are of several), who\n"
    "did it, bytes, and microseconds since the first hop of that message. Payloads\n"
    "are never shown. The hops of a 'confab bridge' that runs as its own process are\n"
    "not shown: suspend, resume, and what streams are sent.\n" SECRET_HELP "\n"
    "  -t, --token TOKEN      the token\n" SECRET_FILE_HELP
    "  -n, --count N          end after N lines\n"
    "      --for SECONDS      end after so long\n";

static const struct option own[] = {
    {"token", required_argument, NULL, 't'},
    SECRET_FILE_OPTION,
    {"count", required_argument, NULL, 'n'},
    {"for", required_argument, NULL, 'F'},
    {0},
};

struct line {
    int64_t at_us, mono_us;
    uint64_t number, id, ref, bytes;
    char hop[16], who[16], thing[128];
};

struct trace {
    const char *token, *token_file;
    uint64_t count; /* 0: no bound */
    int64_t for_us; /* 0: no bound */

    struct line *lines; /* not printed yet */
    size_t line_count, line_room;
    struct {
        uint64_t ref, id;
        int64_t first_us;
    } known[REMEMBERED];
    size_t known_at;   /* the next to be forgotten */
    bool lacks_bridge; /* it runs as a process of its own, if it runs */
    uint64_t printed;
};

static bool take_positive(const char *value, uint64_t most, uint64_t *ret)
{
    char *end;

    *ret = strtoull(value, &end, 10);
    if (*end == 's' && end[1] == '\0')
        end++;
    return end != value && *end == '\0' && *value >= '0' && *value <= '9' &&
           *ret > 0 && *ret <= most;
}

static bool take_option(void *arg, int option, const char *value)
{
    struct trace *t = arg;
    uint64_t seconds;

    switch (option) {
    case 't': t->token = value; return true;
    case SECRET_FILE: t->token_file = value; return true;
    case 'n': return take_positive(value, UINT64_MAX / 2, &t->count);
    case 'F':
        if (!take_positive(value, 1000000, &seconds))
            return false;
        t->for_us = (int64_t)seconds * 1000000;
        return true;
    default: return false;
    }
}

/* ---- what the server says ------------------------------------------------ */

static uint64_t number_of(struct slice object, const char *name)
{
    struct slice value;

    return flat_json_member(object, name, &value)
               ? strtoull(value.data, NULL, 10) /* ends at a comma */
               : 0;
}

static void text_of(struct slice object, const char *name, char *out,
                    size_t size)
{
    struct buffer b = BUFFER_INIT;
    struct slice value;

    out[0] = '\0';
    if (!flat_json_member(object, name, &value))
        return;
    flat_json_show(&b, value);
    if (buffer_ok(&b))
        snprintf(out, size, "%.*s", (int)b.len, b.data != NULL ? b.data : "");
    buffer_release(&b);
}

/* false: out of memory. */
static bool keep_line(struct trace *t, struct slice object)
{
    if (t->line_count == t->line_room) {
        const size_t room = 2 * t->line_room + 256;
        struct line *lines = realloc(t->lines, room * sizeof(*lines));
        if (lines == NULL)
            return false;
        t->lines = lines;
        t->line_room = room;
    }
    struct line *line = &t->lines[t->line_count++];
    line->at_us = (int64_t)number_of(object, "at_us");
    line->mono_us = (int64_t)number_of(object, "mono_us");
    line->number = number_of(object, "number");
    line->id = number_of(object, "id");
    line->ref = number_of(object, "ref");
    line->bytes = number_of(object, "bytes");
    text_of(object, "hop", line->hop, sizeof(line->hop));
    text_of(object, "who", line->who, sizeof(line->who));
    text_of(object, "thing", line->thing, sizeof(line->thing));
    return true;
}

static bool request_lines(struct client *c, const char *token,
                          struct client_answer *ret_answer)
{
    struct buffer body = BUFFER_INIT;
    struct map_writer m = map_begin(&body);

    map_text(&m, "token", token);
    map_end(&m);
    const bool answered =
        client_publish(c, slice_str(COMMAND_PREFIX NAME), buffer_slice(&body),
                       false, ret_answer);
    buffer_release(&body);
    return answered && ret_answer->status == 200 && ret_answer->result != NULL;
}

/* All lines there are now. */
static int gather_lines(struct trace *t, struct client *c, const char *token)
{
    struct client_answer a;
    struct slice lines, line, value;
    bool more = true;

    while (more) {
        if (!request_lines(c, token, &a)) {
            free(a.result);
            return failure(NAME, "%s",
                           a.reason[0] != '\0' ? a.reason : "no answer");
        }
        const struct slice answer = slice_str(a.result);
        size_t at = 0;
        bool kept = true;
        if (flat_json_member(answer, "lines", &lines))
            while (kept && flat_json_next(lines, &at, &line))
                kept = keep_line(t, line);
        t->lacks_bridge = flat_json_member(answer, "bridge", &value) &&
                          slice_eq(value, slice_str("false"));
        const uint64_t dropped = number_of(answer, "dropped");
        more = flat_json_member(answer, "more", &value) &&
               slice_eq(value, slice_str("true"));
        free(a.result);
        if (!kept)
            return failure(NAME, "out of memory");
        if (dropped > 0)
            fprintf(stderr, "%llu lines dropped\n",
                    (unsigned long long)dropped);
    }
    return EXIT_SUCCESS;
}

/* ---- lines --------------------------------------------------------------- */

/* The first hop of the line's message; before an id is given a message is known by
 * its ref. -1: not known, or not one message. */
static int64_t first_of(struct trace *t, const struct line *line)
{
    const bool begins =
        strcmp(line->hop, "read") == 0 || strcmp(line->hop, "suspend") == 0;

    for (size_t n = 1; n <= REMEMBERED && !begins; n++) {
        const size_t i = (t->known_at + REMEMBERED - n) % REMEMBERED;
        if (line->ref != 0 && t->known[i].ref == line->ref) {
            if (line->id != 0)
                t->known[i].id = line->id;
            return t->known[i].first_us;
        }
        if (line->ref == 0 && line->id != 0 && t->known[i].id == line->id)
            return t->known[i].first_us;
    }
    if (!begins)
        return -1;
    t->known[t->known_at].ref = line->ref;
    t->known[t->known_at].id = 0;
    t->known[t->known_at].first_us = line->mono_us;
    t->known_at = (t->known_at + 1) % REMEMBERED;
    return line->mono_us;
}

static void print_line(struct trace *t, const struct line *line)
{
    struct buffer b = BUFFER_INIT;
    const int64_t first_us = first_of(t, line);
    char who[40];

    buffer_put_time(&b, line->at_us, 6);
    if (line->number != 0 || strcmp(line->who, "worker") == 0 ||
        strcmp(line->who, "stream") == 0)
        snprintf(who, sizeof(who), "%s %llu", line->who,
                 (unsigned long long)line->number);
    else
        snprintf(who, sizeof(who), "%s", line->who);
    printf("%.*s  %-7s  %-16s  ", (int)b.len, b.data, line->hop,
           line->thing[0] != '\0' ? line->thing : "-");
    if (line->id != 0)
        printf("%8llu", (unsigned long long)line->id);
    else
        printf("%8s", "-");
    printf("  %-16s  %7llu bytes", who, (unsigned long long)line->bytes);
    if (first_us >= 0)
        printf("  +%lld us", (long long)(line->mono_us - first_us));
    putchar('\n');
    buffer_release(&b);
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = ((const struct line *)a)->mono_us,
                  y = ((const struct line *)b)->mono_us;

    return x < y ? -1 : x > y;
}

/* Those older than the question was when it was asked: no thread has older ones
 * left. The rest waits for the next round. false: count is reached. */
static bool print_older(struct trace *t, int64_t than_us)
{
    size_t i = 0;

    if (t->line_count > 0)
        qsort(t->lines, t->line_count, sizeof(*t->lines), by_time);
    for (; i < t->line_count && t->lines[i].mono_us < than_us; i++) {
        print_line(t, &t->lines[i]);
        if (++t->printed == t->count)
            return false;
    }
    t->line_count -= i;
    if (t->line_count > 0)
        memmove(t->lines, t->lines + i, t->line_count * sizeof(*t->lines));
    return true;
}

static int follow_trace(struct trace *t, struct client *c, const char *token)
{
    const int64_t end_us =
        t->for_us == 0 ? INT64_MAX : clock_mono_us() + t->for_us;
    const struct timespec pause = {.tv_nsec = POLL_US * 1000};
    bool is_first = true;

    for (;;) {
        const int64_t now_us = clock_mono_us();
        const int end = gather_lines(t, c, token);
        if (end != EXIT_SUCCESS)
            return end;
        if (is_first && t->lacks_bridge)
            fputs("trace: the broker runs without a bridge in its process: "
                  "the hops of a confab bridge (suspend, resume, what streams "
                  "are sent) are not shown\n",
                  stderr);
        if (is_first)
            fputs("tracing\n", stderr);
        is_first = false;
        const bool goes_on =
            print_older(t, now_us >= end_us ? INT64_MAX : now_us);
        if (fflush(stdout) != 0)
            return EXIT_FAILURE; /* nobody reads any more */
        if (!goes_on || now_us >= end_us)
            return EXIT_SUCCESS;
        nanosleep(&pause, NULL);
    }
}

int cli_trace(int argc, char **argv)
{
    static struct command_line s;
    static struct trace t;
    struct secret token;
    int end = command_line_parse(&s, argc, argv, "t:n:", own, take_option, &t,
                                 usage);

    if (end >= 0)
        return end;
    if (s.first < argc)
        return usage_error(NAME, "unexpected '%s'", argv[s.first]);
    if (t.token == NULL && t.token_file == NULL)
        return usage_error(NAME, "expected --token or --token-file");
    end = secret_read(&s, NAME, t.token, t.token_file, &token);
    if (end != EXIT_SUCCESS)
        return end;
    struct client *c = folder_client(&s, NAME);
    if (c == NULL)
        return EXIT_FAILURE;
    end = follow_trace(&t, c, token.text);
    client_close(c);
    free(t.lines);
    return end;
}
