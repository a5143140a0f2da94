/* bench_churn: thousands of readers and publishers that come and go at one
 * server for any length of time, and check all it delivers. Started by
 * benchmarks/soak, which owns the server and tells us on stdin what happens:
 *
 *     down    the server is about to be killed: lost connections are fine
 *     up      it is back
 *     settle  publishers leave; all that is owed must arrive
 *     leave   everybody leaves
 *     audit   read all that is stored
 *     end
 *
 * Each is answered on stdout with {"event":"<word>"} when it is done; figures
 * and errors come there, too (report.h). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "benchmarks/churn/audit.h"
#include "benchmarks/churn/fault.h"
#include "benchmarks/churn/population.h"
#include "benchmarks/churn/report.h"
#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

#define TICK_NS (10 * NS_PER_MS)
#define UNSTEADY_NS (5 * NS_PER_S) /* without a turn of ours */

struct churn_run {
    struct world world;
    struct population population;
    struct audit audit;
    double interval_s;
    unsigned readers, publishers;
    int64_t begun_ns, interval_ns, second_ns;
    const char *waits; /* the command under way; NULL: none */
    int64_t waits_since_ns;
    char input[256];
    size_t input_len;
    bool over;
};

static struct sockaddr_in address(const char *text)
{
    struct sockaddr_in result = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[64];

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
        fatal("%s is not HOST:PORT", text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (inet_pton(AF_INET, host, &result.sin_addr) != 1)
        fatal("%s: HOST must be an IPv4 address", text);
    result.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return result;
}

static double number(const char *text)
{
    char *end;
    const double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value < 1e9))
        fatal("%s is not a number from 0 on", text);
    return value;
}

static const char help[] =
    "usage: bench_churn --http HOST:PORT --mqtt HOST:PORT --tokens A,B ...\n"
    "  --tokens A,B        A keeps a number of messages, B for a time\n"
    "  --keep-count N      what A's plan keeps of a thing\n"
    "  --keep S            what B's plan keeps\n"
    "  --readers N --publishers N --rate N    messages/s of all publishers\n"
    "  --rooms N --room-things N\n"
    "  --stay-min S --stay-max S --away-max S of a connection\n"
    "  --patience S        when an acknowledged message counts as missing\n"
    "  --interval S        between lines of figures\n"
    "  --keys              POSTs carry an Idempotency-Key\n"
    "  --seed N\n"
    "  --fault NAME --fault-in KIND   prove that a check can fail (fault.h)\n"
    "benchmarks/soak starts it; see benchmarks/README.md.\n";

static void parse(struct churn_run *run, int argc, char **argv)
{
    static const struct option options[] = {
        {"http", required_argument, NULL, 'h'},
        {"mqtt", required_argument, NULL, 'm'},
        {"tokens", required_argument, NULL, 't'},
        {"keep-count", required_argument, NULL, 'c'},
        {"keep", required_argument, NULL, 'k'},
        {"readers", required_argument, NULL, 'r'},
        {"publishers", required_argument, NULL, 'p'},
        {"rate", required_argument, NULL, 'R'},
        {"rooms", required_argument, NULL, 'o'},
        {"room-things", required_argument, NULL, 'T'},
        {"stay-min", required_argument, NULL, 's'},
        {"stay-max", required_argument, NULL, 'S'},
        {"away-max", required_argument, NULL, 'a'},
        {"patience", required_argument, NULL, 'P'},
        {"interval", required_argument, NULL, 'i'},
        {"keys", no_argument, NULL, 'K'},
        {"seed", required_argument, NULL, 'd'},
        {"fault", required_argument, NULL, 'f'},
        {"fault-in", required_argument, NULL, 'F'},
        {0},
    };
    struct world *w = &run->world;
    const char *fault = "none", *fault_in = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'h':
            w->http = address(optarg);
            w->http_host = optarg;
            break;
        case 'm': w->mqtt = address(optarg); break;
        case 't':
            w->tokens[0] = strtok(optarg, ",");
            w->tokens[1] = strtok(NULL, ",");
            break;
        case 'c': w->keep_count = (unsigned)number(optarg); break;
        case 'k': w->keep_s = (unsigned)number(optarg); break;
        case 'r': run->readers = (unsigned)number(optarg); break;
        case 'p': run->publishers = (unsigned)number(optarg); break;
        case 'R': w->rate = number(optarg); break;
        case 'o': w->rooms = (unsigned)number(optarg); break;
        case 'T': w->room_things = (unsigned)number(optarg); break;
        case 's': w->stay_min_s = number(optarg); break;
        case 'S': w->stay_max_s = number(optarg); break;
        case 'a': w->away_max_s = number(optarg); break;
        case 'P': w->patience_s = (unsigned)number(optarg); break;
        case 'i': run->interval_s = number(optarg); break;
        case 'K': w->keys = true; break;
        case 'd':
            w->random ^= (uint64_t)number(optarg) * 0x2545f4914f6cdd1d;
            break;
        case 'f': fault = optarg; break;
        case 'F': fault_in = optarg; break;
        default: fputs(help, stderr); exit(2);
        }
    }
    if (optind < argc || w->http_host == NULL || w->mqtt.sin_port == 0 ||
        w->tokens[1] == NULL || w->keep_count == 0 ||
        !fault_choose(fault, fault_in)) {
        fputs(help, stderr);
        exit(2);
    }
    if (w->rooms == 0 || w->rooms % 4 != 0 || w->room_things == 0 ||
        run->readers == 0 || run->publishers == 0 || w->rate <= 0)
        fatal("rooms come in fours, and there must be some of everything");
    if (w->keep_s < 5 || w->keep_s + 2 > LANE_MARKS ||
        w->patience_s + w->away_max_s + 2 > LANE_MARKS)
        fatal("--keep (at least 5) and --patience + --away-max: at most %d s",
              LANE_MARKS - 2);
}

static void raise_open_files(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fatal("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fatal("setrlimit: %s", strerror(errno));
}

static void done(struct churn_run *run)
{
    report_event(run->waits);
    run->waits = NULL;
}

static void server_is_back(struct churn_run *run, int64_t now_ns)
{
    struct world *w = &run->world;

    w->down = false;
    /* Stopped when all had left: nothing was cut, nothing is in doubt. */
    if (w->phase != PHASE_LEAVE)
        population_server_back(&run->population, now_ns);
}

static void obey(struct churn_run *run, const char *word, int64_t now_ns)
{
    static const char *const words[] = {"down",  "up",    "settle",
                                        "leave", "audit", "end"};
    struct world *w = &run->world;

    if (run->waits != NULL)
        fatal("%s: still busy with %s", word, run->waits);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i]) == 0)
            run->waits = words[i];
    if (run->waits == NULL)
        fatal("%s: unknown command", word);
    run->waits_since_ns = now_ns;
    switch (word[0]) {
    case 'd':
        w->down = true;
        done(run);
        break;
    case 'u':
        server_is_back(run, now_ns);
        done(run);
        break;
    case 's': w->phase = PHASE_SETTLE; break;
    case 'l': w->phase = PHASE_LEAVE; break;
    case 'a': audit_begin(&run->audit, w, now_ns); break;
    case 'e':
        run->over = true;
        done(run);
        break;
    }
}

static void read_commands(struct churn_run *run, int64_t now_ns)
{
    const ssize_t n = read(STDIN_FILENO, run->input + run->input_len,
                           sizeof(run->input) - run->input_len - 1);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        fatal("whoever started this is gone");
    run->input_len += (size_t)n;
    run->input[run->input_len] = '\0';
    char *end;

    while ((end = strchr(run->input, '\n')) != NULL) {
        *end = '\0';
        obey(run, run->input, now_ns);
        run->input_len -= (size_t)(end + 1 - run->input);
        memmove(run->input, end + 1, run->input_len + 1);
    }
}

/* Is the command under way done? */
static void look_after_command(struct churn_run *run, int64_t now_ns)
{
    const struct world *w = &run->world;
    const double waited_s = (double)(now_ns - run->waits_since_ns) / 1e9;
    const bool late = waited_s > 2 * w->patience_s + w->away_max_s;

    if (run->waits == NULL)
        return;
    switch (run->waits[0]) {
    case 's':
        if (late)
            population_report_unsettled(&run->population);
        if (late || population_settled(&run->population))
            done(run);
        break;
    case 'l':
        if (late && w->poll.open > 0)
            report_error("%u connections do not end", w->poll.open);
        if (late || w->poll.open == 0)
            done(run);
        break;
    case 'a':
        if (audit_step(&run->audit, now_ns)) {
            printf("{\"event\":\"audited\",\"things\":%u,\"messages\":%llu}\n",
                   run->audit.things, (unsigned long long)run->audit.messages);
            done(run);
        }
        break;
    }
}

static void each_second(struct churn_run *run, int64_t now_ns)
{
    population_second(&run->population, now_ns);
    look_after_command(run, now_ns);
    const double elapsed_s = (double)(now_ns - run->interval_ns) / 1e9;

    if (elapsed_s < run->interval_s - 0.5)
        return;
    const struct attendance a = population_count(&run->population);

    report_interval((double)(now_ns - run->begun_ns) / 1e9, elapsed_s,
                    a.readers, a.publishers, a.slow);
    run->interval_ns = now_ns;
}

int main(int argc, char **argv)
{
    static struct churn_run run = {.world = {.rooms = 8,
                                             .room_things = 12,
                                             .rate = 500,
                                             .keep_s = 60,
                                             .patience_s = 30,
                                             .away_max_s = 15,
                                             .stay_min_s = 5,
                                             .stay_max_s = 90,
                                             .random = 0x9e3779b97f4a7c15},
                                   .readers = 2000,
                                   .publishers = 480,
                                   .interval_s = 10};

    parse(&run, argc, argv);
    raise_open_files();
    if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0)
        fatal("stdin: %s", strerror(errno));
    poll_init(&run.world.poll);
    world_init_lanes(&run.world, run.publishers);
    population_init(&run.population, &run.world, run.readers);
    run.begun_ns = run.interval_ns = run.second_ns = instant_ns();
    while (!run.over) {
        int64_t now_ns = instant_ns();

        read_commands(&run, now_ns);
        population_tick(&run.population, now_ns);
        if (now_ns - run.second_ns > UNSTEADY_NS)
            run.world.steady_ns = now_ns;
        while (now_ns - run.second_ns >= NS_PER_S) {
            run.second_ns += NS_PER_S;
            each_second(&run, now_ns);
        }
        const int64_t until_ns = now_ns + TICK_NS;

        do
            poll_turn(&run.world.poll, until_ns);
        while (instant_ns() < until_ns);
    }
    return 0;
}
