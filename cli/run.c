/* confab run, confab broker, confab bridge: start, report readiness, wait for
 * a signal, stop in order. */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk_fault.h"
#include "base/log.h"
#include "base/net/connection_budget.h"
#include "base/version.h"
#include "bridge/bridge.h"
#include "bridge/counters/bridge_counters.h"
#include "bridge/doors/metrics/metrics_server.h"
#include "broker/broker.h"
#include "cli/folder.h"
#include "store/store.h"

#define AREA "main"

/* Descriptors reserved for files, event loops and the link: not for
 * clients. */
#define DESCRIPTORS_OWN 128
#define LINK_WAIT_US INT64_C(10000000)
#define DUMP_EVERY_US INT64_C(5000000)
#define STORE_WAIT_US INT64_C(60000000)

static const char usage_run[] =
    "Usage: confab run [OPTION]...\n\n"
    "Runs the whole server, broker and bridge, until SIGTERM or SIGINT. Prints one\n"
    "line on stdout when it is ready:\n"
    "  confab ready http=http://127.0.0.1:8080 mqtt=mqtt://127.0.0.1:1883 "
    "data=DIR\n"
    "(with mqtts=mqtts://… before data= if mqtt.tls_listen is set, door:NAME=http://…\n"
    "for each HTTP API with a listen of its own, and with 127.0.0.1 or [::1] if it\n"
    "listens on all addresses). The log says where each HTTP API is. On SIGHUP it reads the TLS\n"
    "certificates and the plans again. It needs no settings.\n";
static const char usage_broker[] =
    "Usage: confab broker [OPTION]...\n\n"
    "Runs the MQTT broker and the store alone. 'confab bridge' with the same\n"
    "data folder adds HTTP.\n";
static const char usage_bridge[] =
    "Usage: confab bridge [OPTION]...\n\n"
    "Runs the HTTP side alone, as a client of the broker that uses the same\n"
    "data folder. Waits for that broker if it is not running yet.\n";

struct server {
    struct command_line settings;
    bool has_broker, has_bridge;
    struct store *store;
    struct connection_budget budget;
    struct broker *broker;
    struct bridge *bridge;
    int64_t dumped_us; /* SIGUSR1; 0: never */
    unsigned dumps_left_out;
    struct metrics_server *metrics; /* NULL: off */
};

/* All threads inherit this mask, so that only sigwait() gets these signals. */
static void block_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
    sigaddset(ret_set, SIGHUP);
    sigaddset(ret_set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, ret_set, NULL);
}

static void raise_descriptor_limit(struct config *c)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 &&
            getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return;
    }
    if (c->limits_connections == 0)
        c->limits_connections = limit.rlim_cur > 2 * DESCRIPTORS_OWN
                                    ? limit.rlim_cur - DESCRIPTORS_OWN
                                    : limit.rlim_cur / 2;
}

static enum store_err open_store(struct server *s,
                                 struct store_damage *ret_damage,
                                 int *ret_detail)
{
    const struct store_opts opts = {
        .map_size = s->settings.config.store_map_size,
        .read_only = !s->has_broker,
        .ret_damage = ret_damage,
    };
    const int64_t until = clock_mono_us() + STORE_WAIT_US;
    enum store_err err;
    bool told = false;
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    for (;;) {
        err = store_open(s->settings.data_dir, &opts, &s->store, ret_detail);
        if (err != STORE_NOTFOUND || s->has_broker || clock_mono_us() > until)
            return err;
        if (!told)
            log_info(AREA, "waiting for a broker to create %s",
                     s->settings.data_dir);
        told = true;
        const struct timespec pause = {0, 200000000};
        if (sigtimedwait(&stop, NULL, &pause) > 0)
            return err;
    }
}

/* A broker and a bridge that run apart share their settings: each has a key. */
static const char *metrics_listen(const struct server *s, const char **ret_key)
{
    const struct config *c = &s->settings.config;

    *ret_key = s->has_broker ? "metrics.listen" : "metrics.bridge_listen";
    return s->has_broker ? c->metrics_listen : c->metrics_bridge_listen;
}

static bool start_metrics(struct server *s, struct config_error *ret_error)
{
    struct metrics *const parts[] = {
        s->has_broker ? broker_metrics(s->broker) : NULL,
        s->has_bridge ? bridge_metrics() : NULL,
    };
    const char *key, *listen = metrics_listen(s, &key);

    return listen[0] == '\0' ||
           metrics_server_start(key, listen, &s->settings.config, parts, 2,
                                &s->metrics, ret_error);
}

static bool start_server(struct server *s, const char *name)
{
    struct config_error error = {""};
    struct store_damage damage = {""};
    int detail = 0;
    const enum store_err err = open_store(s, &damage, &detail);

    if (err != STORE_OK) {
        if (damage.text[0] != '\0')
            folder_damage(name, s->settings.data_dir, damage.text);
        else
            folder_failure(name, s->settings.data_dir, err, detail);
        return false;
    }
    if (s->has_broker) {
        const struct broker_opts opts = {
            .data_dir = s->settings.data_dir,
            .budget = &s->budget,
        };
        if (!broker_start(&s->settings.config, s->store, &opts, &s->broker,
                          &error)) {
            failure(name, "%s", error.text);
            return false;
        }
    }
    if (s->has_bridge) {
        const struct bridge_opts opts = {
            .config = &s->settings.config,
            .store = s->store,
            .data_dir = s->settings.data_dir,
            .budget = &s->budget,
            .mqtt_port = s->broker != NULL ? broker_mqtt_port(s->broker) : 0,
        };
        if (!bridge_start(&opts, &s->bridge, &error)) {
            failure(name, "%s", error.text);
            return false;
        }
    }
    if (!start_metrics(s, &error)) {
        failure(name, "%s", error.text);
        return false;
    }
    return true;
}

/* In one process, ready means that the link is up, because POST needs it. A
 * bridge alone is ready without a link and answers 503 until its broker is
 * there. */
static void wait_for_link(const struct server *s)
{
    const int64_t until = clock_mono_us() + LINK_WAIT_US;

    while (s->has_broker && s->has_bridge && !bridge_link_up(s->bridge) &&
           clock_mono_us() < until)
        usleep(2000);
}

/* An address that clients can open, with the port actually bound: for a server
 * that listens on all addresses, the loopback address. */
static void put_address(char *out, size_t size, const char *listen,
                        uint16_t port)
{
    static const struct {
        const char *all, *one;
    } wildcards[] = {{"0.0.0.0", "127.0.0.1"},
                     {"*", "127.0.0.1"},
                     {"[::]", "[::1]"}};
    const char *colon = strrchr(listen, ':');
    int len = (int)(colon - listen);

    for (size_t i = 0; i < sizeof(wildcards) / sizeof(wildcards[0]); i++) {
        if (strlen(wildcards[i].all) != (size_t)len ||
            memcmp(listen, wildcards[i].all, (size_t)len) != 0)
            continue;
        listen = wildcards[i].one;
        len = (int)strlen(listen);
        break;
    }
    snprintf(out, size, "%.*s:%u", len, listen, (unsigned)port);
}

static void print_address(const char *listen, uint16_t port)
{
    char address[CONFIG_VALUE_MAX + 8];

    put_address(address, sizeof(address), listen, port);
    fputs(address, stdout);
}

/* One line of log for each HTTP API: where it is. */
static void log_doors(const struct bridge *b)
{
    char address[CONFIG_VALUE_MAX + 8];

    for (size_t i = 0; i < bridge_door_count(); i++) {
        const struct bridge_door d = bridge_door(b, i);
        if (d.listen == NULL) {
            log_info(AREA, "door %s: off (door:%s.enabled)", d.name, d.name);
            continue;
        }
        put_address(address, sizeof(address), d.listen, d.port);
        log_info(AREA, "door %s: http://%s%s/", d.name, address, d.prefix);
    }
}

/* Those at http.listen follow from the address behind http=. */
static void print_doors(const struct bridge *b)
{
    for (size_t i = 0; i < bridge_door_count(); i++) {
        const struct bridge_door d = bridge_door(b, i);
        if (!d.is_alone)
            continue;
        printf(" door:%s=http://", d.name);
        print_address(d.listen, d.port);
        fputs(d.prefix, stdout);
    }
}

static void say_ready(const struct server *s)
{
    const struct config *c = &s->settings.config;

    fputs("confab ready", stdout);
    if (s->has_bridge) {
        fputs(" http=http://", stdout);
        print_address(c->http_listen, bridge_http_port(s->bridge));
    }
    if (s->has_broker) {
        fputs(" mqtt=mqtt://", stdout);
        print_address(c->mqtt_listen, broker_mqtt_port(s->broker));
    }
    if (s->has_broker && broker_mqtts_port(s->broker) != 0) {
        fputs(" mqtts=mqtts://", stdout);
        print_address(c->mqtt_tls_listen, broker_mqtts_port(s->broker));
    }
    if (s->metrics != NULL) {
        const char *key;
        fputs(" metrics=http://", stdout);
        print_address(metrics_listen(s, &key),
                      metrics_server_port(s->metrics));
        fputs("/metrics", stdout);
    }
    if (s->has_bridge)
        print_doors(s->bridge);
    printf(" data=%s\n", s->settings.data_dir);
    fflush(stdout);
    if (s->has_bridge)
        log_doors(s->bridge);
    sd_notify(0, "READY=1");
    log_info(AREA, "confab " CONFAB_VERSION " ready, tokens %s",
             c->tokens_access == ACCESS_OPEN
                 ? "open: any token works (tokens.access)"
                 : "registered");
}

static void tell_change(const char *name, const char *from, const char *to,
                        bool holds)
{
    if (holds)
        log_info(AREA, "SIGHUP: %s: %s, was %s", name, to, from);
    else
        log_warn(AREA, "SIGHUP: %s: %s, was %s: takes effect after a restart",
                 name, to, from);
}

static bool reload_certificates(const struct server *s)
{
    struct config_error error = {""};

    switch (s->has_broker ? broker_reload(s->broker, &error)
                          : BROKER_NOTHING_TO_RELOAD) {
    case BROKER_RELOADED:
        log_info(AREA, "certificates were read again, for new connections");
        break;
    case BROKER_NOTHING_TO_RELOAD:
        log_info(AREA, "SIGHUP: there are no certificates to read again");
        break;
    case BROKER_RELOAD_FAILED:
        log_error(AREA,
                  "SIGHUP: %s; the old certificates and all settings stay in "
                  "use",
                  error.text);
        return false;
    }
    return true;
}

/* All or nothing: an error anywhere leaves all settings unchanged. */
static void reload_configuration(struct server *s)
{
    struct config *c = &s->settings.config;
    struct config *fresh = malloc(sizeof(*fresh));
    struct config_error error = {""};

    if (fresh == NULL || !command_line_reload(fresh, &error)) {
        log_error(AREA, "SIGHUP: %s; nothing has changed",
                  fresh == NULL ? "out of memory" : error.text);
        free(fresh);
        return;
    }
    raise_descriptor_limit(fresh);
    if (!reload_certificates(s)) {
        free(fresh);
        return;
    }
    if (config_changes(config_newest(c), fresh, tell_change) == 0) {
        free(fresh);
        return;
    }
    connection_budget_set_limit(&s->budget, fresh->limits_connections);
    config_adopt(c, fresh);
}

/* systemd restarts a service that sends no WATCHDOG=1 for WatchdogSec=. */
static void say_alive(const struct server *s)
{
    if (s->broker == NULL || broker_is_alive(s->broker))
        sd_notify(0, "WATCHDOG=1");
    else
        log_error(AREA,
                  "a worker or the writer has made no progress since the last "
                  "check: not notifying systemd's watchdog");
}

/* SIGUSR1: what all threads hold, as lines of log. Not more often than
 * DUMP_EVERY_US: it may be somebody's loop. */
static void dump_state(struct server *s)
{
    const int64_t now_us = clock_mono_us();

    if (s->dumped_us != 0 && now_us - s->dumped_us < DUMP_EVERY_US) {
        s->dumps_left_out++;
        return;
    }
    s->dumped_us = now_us;
    log_info(
        "state",
        "SIGUSR1: state of process %d; %u signals since the last dump came "
        "within 5 s of it and were ignored",
        (int)getpid(), s->dumps_left_out);
    s->dumps_left_out = 0;
    if (s->broker != NULL)
        broker_dump_state(s->broker);
    if (s->bridge != NULL)
        bridge_dump_state(s->bridge);
}

/* Serves until a signal to stop arrives; returns the signal. */
static int await_stop(struct server *s, const sigset_t *signals)
{
    uint64_t watchdog_us = 0;

    const bool watched = sd_watchdog_enabled(0, &watchdog_us) > 0;
    const int64_t every_us = (int64_t)watchdog_us / 2;
    int64_t due_us = clock_mono_us() + every_us; /* whatever signals come */
    for (;;) {
        const int64_t wait_us = due_us - clock_mono_us();
        const struct timespec wait = {
            .tv_sec = wait_us > 0 ? (time_t)(wait_us / 1000000) : 0,
            .tv_nsec = wait_us > 0 ? (long)(wait_us % 1000000 * 1000) : 0,
        };
        const int received =
            sigtimedwait(signals, NULL, watched ? &wait : NULL);
        if (received < 0 && errno == EAGAIN) {
            due_us = clock_mono_us() + every_us;
            say_alive(s);
        } else if (received == SIGHUP)
            reload_configuration(s);
        else if (received == SIGUSR1)
            dump_state(s);
        else if (received > 0)
            return received;
    }
}

static void stop_server(struct server *s)
{
    metrics_server_stop(s->metrics);
    /* The bridge first, so that its requests in flight still get their
     * answers. */
    bridge_stop(s->bridge);
    broker_stop(s->broker);
    store_close(s->store);
}

int cli_run(int argc, char **argv)
{
    static struct server s; /* static, because the plans make it large */
    const char *name = argv[0];
    sigset_t signals;

    s.has_broker = strcmp(name, "bridge") != 0;
    s.has_bridge = strcmp(name, "broker") != 0;
    const int end =
        command_line_parse(&s.settings, argc, argv, "", NULL, NULL, NULL,
                           !s.has_bridge   ? usage_broker
                           : !s.has_broker ? usage_bridge
                                           : usage_run);
    if (end == EXIT_SUCCESS)
        command_line_print_help();
    if (end >= 0)
        return end;
    if (s.settings.first < argc)
        return usage_error(name, "unexpected '%s'", argv[s.settings.first]);

    disk_fault_catch(s.settings.data_dir);
    block_signals(&signals);
    raise_descriptor_limit(&s.settings.config);
    connection_budget_init(&s.budget, s.settings.config.limits_connections);
    if (!start_server(&s, name)) {
        stop_server(&s);
        return EXIT_FAILURE;
    }
    wait_for_link(&s);
    say_ready(&s);

    const int received = await_stop(&s, &signals);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else asks for its text. */
    log_info(AREA, "stopping on %s", strsignal(received));
    sd_notify(0, "STOPPING=1");
    /* A second signal stops without waiting. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    stop_server(&s);
    log_info(AREA, "stopped");
    return EXIT_SUCCESS;
}
