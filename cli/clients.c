#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/flat_json.h"
#include "cli/cli.h"
#include "cli/client_request.h"
#include "cli/secret.h"

#define NAME "clients"

static const char usage[] =
    "Usage: confab clients [-j] [--full] [--refused] [-t TOKEN] [-a ADDRESS]\n"
    "                      [--token-file FILE] [CLIENT_ID]\n\n"
    "Lists the MQTT clients connected to the running server of the data folder,\n"
    "except administrators. In CLIENT_ID a * matches any text. Tokens are\n"
    "shortened, in client ids as well; '(none)' is a client without a token.\n"
    "BY is the transport, ALIVE the keep-alive in seconds, FLIGHT the number of\n"
    "messages in flight, QUEUED the bytes waiting to be sent. STATE is 'live', or\n"
    "'behind' while the client is sent messages it missed. KEPT is how many\n"
    "seconds the session is kept after the connection ends.\n" SECRET_HELP "\n"
    "  -t, --token TOKEN      only clients of this token; '': without a token\n" SECRET_FILE_HELP
    "  -a, --address ADDRESS  only the client at this address:port, or all clients\n"
    "                         of this address\n"
    "  -r, --refused          list recent refusals instead: what was refused to\n"
    "                         whom, and why. Each broker thread remembers 256\n"
    "                         entries of clients and 256 of peers that never\n"
    "                         became clients, since its start\n"
    "  -f, --full             print whole tokens and unchanged client ids\n"
    "  -j, --json             print a JSON object per line\n";

static const struct option own[] = {
    {"token", required_argument, NULL, 't'},
    SECRET_FILE_OPTION,
    {"address", required_argument, NULL, 'a'},
    {"full", no_argument, NULL, 'f'},
    {"refused", no_argument, NULL, 'r'},
    {"json", no_argument, NULL, 'j'},
    {0},
};

struct client_table {
    struct client_request request;
    bool json;
    bool has_head;
    struct buffer line;
};

static bool take_option(void *arg, int option, const char *value)
{
    struct client_table *l = arg;

    switch (option) {
    case 't': l->request.token = value; return true;
    case SECRET_FILE: l->request.token_file = value; return true;
    case 'a': l->request.address = value; return true;
    case 'f': l->request.full = true; return true;
    case 'r': l->request.refused = true; return true;
    case 'j': l->json = true; return true;
    default: return false;
    }
}

/* Narrow columns first, so that a long id does not shift the others. */
struct column {
    const char *head, *member; /* head NULL: the end */
    int width;
};

static const struct column columns[] = {
    {"TOKEN", "token", 8},         {"ADDRESS", "address", 21},
    {"VERSION", "version", 7},     {"BY", "transport", 9},
    {"SINCE", "since", 24},        {"ALIVE", "keep_alive_s", 5},
    {"SUBS", "subscriptions", 5},  {"FLIGHT", "inflight", 6},
    {"QUEUED", "queued_bytes", 7}, {"STATE", "catching_up", 6},
    {"KEPT", "expiry_s", 6},       {"KEY", "key", 16},
    {"CLIENT ID", "client", 0},    {NULL, NULL, 0},
};

static const struct column refused_columns[] = {
    {"TOKEN", "token", 8},   {"ADDRESS", "address", 21},
    {"LAST", "last", 24},    {"TIMES", "count", 6},
    {"WHAT", "packet", 9},   {"CLIENT ID", "client", 24},
    {"REASON", "reason", 0}, {NULL, NULL, 0},
};

static const struct column *columns_of(const struct client_table *l)
{
    return l->request.refused ? refused_columns : columns;
}

/* Width in characters, not bytes: the ellipsis of a token counts as one. */
static int width_of(const struct buffer *b, size_t from)
{
    int width = 0;

    for (size_t i = from; i < b->len; i++)
        width += ((unsigned char)b->data[i] & 0xc0) != 0x80;
    return width;
}

static void put_cell(struct buffer *line, const char *member,
                     struct slice value)
{
    const bool is_null = slice_eq(value, slice_str("null"));

    if (strcmp(member, "catching_up") == 0)
        buffer_put_str(line,
                       slice_eq(value, slice_str("true")) ? "behind" : "live");
    else if (strcmp(member, "expiry_s") == 0 && is_null)
        buffer_put_str(line, "always");
    else if (strcmp(member, "token") == 0 && is_null)
        buffer_put_str(line, "(none)");
    else
        flat_json_show(line, value);
}

static void pad_column(struct buffer *line, size_t from, int width)
{
    for (int at = width_of(line, from); at < width; at++)
        buffer_put_char(line, ' ');
    if (width > 0)
        buffer_put_char(line, ' ');
}

static void end_line(struct buffer *line)
{
    buffer_put_char(line, '\n');
    fwrite(line->data, 1, line->len, stdout);
    buffer_clear(line);
}

static void print_head(struct client_table *l)
{
    for (const struct column *k = columns_of(l); k->head != NULL; k++) {
        const size_t from = l->line.len;
        buffer_put_str(&l->line, k->head);
        pad_column(&l->line, from, k->width);
    }
    end_line(&l->line);
    l->has_head = true;
}

static void print_row(struct client_table *l, struct slice client)
{
    struct slice value;

    for (const struct column *k = columns_of(l); k->head != NULL; k++) {
        const size_t from = l->line.len;
        if (flat_json_member(client, k->member, &value))
            put_cell(&l->line, k->member, value);
        if (strcmp(k->member, "client") == 0 &&
            flat_json_member(client, "client_bytes", &value))
            buffer_put_str(&l->line, "\xe2\x80\xa6"); /* the id is longer */
        pad_column(&l->line, from, k->width);
    }
    end_line(&l->line);
}

static void print_answer(void *arg, struct slice answer)
{
    struct client_table *l = arg;
    struct slice clients, client;
    size_t at = 0;

    if (!l->json && !l->has_head)
        print_head(l);
    if (!flat_json_member(answer, l->request.refused ? "refused" : "clients",
                          &clients))
        return;
    while (flat_json_next(clients, &at, &client)) {
        if (!l->json) {
            print_row(l, client);
            continue;
        }
        buffer_put_slice(&l->line, client);
        end_line(&l->line);
    }
}

int cli_clients(int argc, char **argv)
{
    static struct command_line s;
    struct client_table l = {.request = {.command = NAME}};
    int end = command_line_parse(&s, argc, argv, "t:a:fjr", own, take_option,
                                 &l, usage);

    if (end >= 0)
        return end;
    if (argc - s.first > 1)
        return usage_error(NAME, "unexpected '%s'", argv[s.first + 1]);
    if (s.first < argc)
        l.request.client = argv[s.first];
    end = client_request_send(&s, &l.request, print_answer, &l);
    buffer_release(&l.line);
    return end;
}
