/* The settings. One table drives the parser, `--help`, and
 * docs/configuration.md, so that they always agree.
 *
 * Sources, of which later ones override earlier ones: defaults, the INI file
 * (-c), the environment (CONFAB_HTTP_LISTEN for http.listen,
 * CONFAB_PLAN_FREE_WRITES_PER_HOUR for plan:free.writes_per_hour), -s
 * key=value. Bytes may be written 64G, times 7d. Unless said otherwise,
 * functions are called in the main thread before other threads start.
 * Afterwards a struct config is read only and shared by all threads;
 * config_adopt() adds newer ones next to it. */
#ifndef CONFAB_BASE_CONFIG_H
#define CONFAB_BASE_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"

#define CONFIG_PLANS_MAX 64
#define CONFIG_NAME_MAX 64
#define CONFIG_VALUE_MAX 1024

/* In the order of the choices of mqtt.tls_client_cert. */
enum config_client_cert {
    CLIENT_CERT_NONE,
    CLIENT_CERT_OPTIONAL,
    CLIENT_CERT_REQUIRED
};

/* In the order of the choices of tokens.public_creation and *.proxy_protocol. */
enum config_switch { SWITCH_ON, SWITCH_OFF };

enum config_access { ACCESS_AUTO, ACCESS_OPEN, ACCESS_REGISTERED };

/* In the order of the choices of door:NAME.enabled. */
enum config_enabled { DOOR_ENABLED, DOOR_DISABLED };

/* How often one client address may do something. */
struct rate_settings {
    uint64_t burst; /* at once */
    uint64_t rate;  /* per second after that */
};

/* Section [door:rooms], besides what all doors have. */
struct rooms_settings {
    char tenant[CONFIG_VALUE_MAX]; /* token_valid(), and not reserved */
    struct rate_settings register_limit, login_limit, room_limit;
    uint64_t ping_interval, ping_timeout, connect_timeout; /* ms */
    uint64_t payload_max; /* bytes of a message of Socket.IO */
};

/* Section [door:NAME]: one HTTP API. */
struct door_settings {
    enum config_enabled enabled;
    char prefix[CONFIG_NAME_MAX];  /* "" or "/x/y": precedes its paths */
    char listen[CONFIG_VALUE_MAX]; /* "": http.listen */
};

/* Section [plan:NAME]. 0 means no limit, not sent, or keep all. */
struct plan {
    char name[CONFIG_NAME_MAX];
    uint64_t writes_per_hour;
    uint64_t reads_per_hour;
    uint64_t payload_max;  /* bytes of one message */
    uint64_t connections;  /* MQTT connections, and open streams, per token */
    uint64_t inflight;     /* unacknowledged PUBLISHes per connection:
                              the Receive Maximum we announce */
    uint64_t sessions_max; /* stored sessions per token */
    uint64_t session_expiry;    /* s; longest that a client may request */
    uint64_t session_bytes_max; /* of these sessions (store/write/account.h) */
    uint64_t filters_max;       /* per MQTT client, stored or not */
    uint64_t client_id_max;     /* bytes */
    uint64_t things_max;        /* per token */
    uint64_t bytes_max;         /* of a token's messages */
    uint64_t idle_timeout;      /* s; SSE only */
    uint64_t retry_ms;          /* SSE `retry:` */
    uint64_t keepalive;         /* s between SSE comments */
    uint64_t retention_count;   /* messages kept per thing */
    uint64_t retention_age;     /* s a message stays readable */
    /* Which of these a tenant has of its own (base/plan_limits.h); 0 in settings. */
    uint64_t own;
};

struct config {
    char http_listen[CONFIG_VALUE_MAX]; /* default 127.0.0.1:8080 */
    uint64_t http_workers;              /* 0: one per core */
    uint64_t http_streamers;            /* 0: one per core less one */
    uint64_t http_idle_timeout, http_header_timeout; /* s */
    uint64_t http_body_timeout, http_write_timeout;  /* s */
    char http_trusted_proxies[CONFIG_VALUE_MAX];     /* base/address_list.h */
    enum config_switch http_proxy_protocol;
    struct door_settings door_thingschat, door_rooms;
    struct rooms_settings rooms;
    char mqtt_listen[CONFIG_VALUE_MAX];     /* default 127.0.0.1:1883 */
    char mqtt_tls_listen[CONFIG_VALUE_MAX]; /* empty: no TLS */
    char mqtt_tls_cert[CONFIG_VALUE_MAX], mqtt_tls_key[CONFIG_VALUE_MAX];
    char mqtt_tls_client_ca[CONFIG_VALUE_MAX]; /* files, or empty */
    enum config_client_cert mqtt_tls_client_cert;
    char mqtt_trusted_proxies[CONFIG_VALUE_MAX];
    enum config_switch mqtt_proxy_protocol; /* of both its listeners */
    uint64_t mqtt_workers;                  /* 0: one per core less one */
    uint64_t mqtt_sys_interval;             /* s; 0: never */
    uint64_t mqtt_keep_alive_max;           /* s; 0: no limit */
    /* empty: off */
    char metrics_listen[CONFIG_VALUE_MAX];
    char metrics_bridge_listen[CONFIG_VALUE_MAX];
    char store_path[CONFIG_VALUE_MAX]; /* the data folder; default ./data */
    uint64_t store_map_size;           /* bytes; soft limit; base/map_size.h */
    uint64_t store_clock_jump_max, store_clock_grace; /* s; wall_clock.h */
    enum config_access tokens_access; /* never AUTO after config_finish():
                                         open iff every listener is loopback and
                                         without PROXY headers */
    char tokens_default_plan[CONFIG_NAME_MAX];  /* free */
    char tokens_operator_plan[CONFIG_NAME_MAX]; /* never empty after
                                                   config_finish() */
    enum config_switch tokens_public_creation;
    uint64_t tokens_create_per_hour; /* per client address; default 10 */
    uint64_t limits_connections;     /* 0: RLIMIT_NOFILE less 128 */
    uint64_t limits_token_share;     /* percent of store.map_size */
    uint64_t limits_connections_per_address; /* 0: see config_keys.h */
    char outgoing_allow[CONFIG_VALUE_MAX];   /* a list of base/cidr.h */
    char outgoing_ca_file[CONFIG_VALUE_MAX];
    uint64_t outgoing_concurrent, outgoing_per_host, outgoing_per_tenant;
    uint64_t outgoing_queue;
    uint64_t webhooks_attempts;
    uint64_t webhooks_retry_first, webhooks_retry_max; /* seconds */
    uint64_t webhooks_timeout;                         /* likewise */
    uint64_t log_level;                                /* enum log_level */
    struct plan plans[CONFIG_PLANS_MAX]; /* free, home, paid, local first */
    size_t plan_count;
    /* Where the two plans were set, for errors: whether such a plan exists is
     * known only at the end. */
    char default_plan_source[512], operator_plan_source[512];
    /* The newest settings read since the threads started, whose plans apply:
     * see config_adopt(). NULL: none. */
    _Atomic(struct config *) newest;
};

/* An error text for the user. It names the source (file and line, -s, or the
 * environment variable) and the key, and says what is valid. */
struct config_error {
    char text[512];
};

void config_defaults(struct config *ret_config);
/* These return false and set *ret_error on an unknown key or an invalid
 * value. */
bool config_read_file(struct config *c, const char *path,
                      struct config_error *ret_error);
bool config_read_environment(struct config *c, char *const *environment,
                             struct config_error *ret_error);
bool config_set(struct config *c, const char *key_equals_value,
                struct config_error *ret_error); /* the argument of -s */
/* Checks rules that involve several settings (the default plan exists, TLS has
 * its files) and resolves ACCESS_AUTO. */
bool config_finish(struct config *c, struct config_error *ret_error);

/* The settings whose plans, tokens.default_plan, tokens.operator_plan,
 * tokens.public_creation and limits.connections_per_address apply now. Any thread. */
const struct config *config_newest(const struct config *c);
/* Makes `fresh` the newest settings of `c`. It is finished and malloc()ed, and
 * is never freed. Existing plans do not change, so that pointers to them stay
 * valid and running code sees no plan change. Main thread. */
void config_adopt(struct config *c, struct config *fresh);
/* Calls `tell` for each setting that differs, including those of plans.
 * `holds`: config_adopt() applies it; otherwise a restart does. Returns the
 * number of differences. */
unsigned config_changes(const struct config *from, const struct config *to,
                        void (*tell)(const char *name, const char *from,
                                     const char *to, bool holds));

/* Reads a quantity as settings have them: a number of `unit` ("seconds",
 * "milliseconds" or "bytes"), or with a suffix, like 7d or 64G. Pure. */
bool config_quantity(const char *text, const char *unit, uint64_t *ret);

/* NULL if there is no such plan now. The pointer is valid as long as *c. */
const struct plan *config_plan(const struct config *c, struct slice name);
/* The plan that applies now to whom `name` was given: where there is no such plan any
 * more, that of tokens.default_plan, for removing a plan must not lift limits. Never
 * NULL; likewise valid. */
const struct plan *config_plan_or_default(const struct config *c,
                                          struct slice name);

/* "127.0.0.1:8080", "[::1]:0", "0.0.0.0:1883", "localhost:1". */
bool config_is_loopback(const char *listen);

/* Prints every key with type, default, unit and meaning, as text for --help or
 * as the Markdown of docs/configuration.md (`confab check --print-docs`). */
void config_print_keys(FILE *out, bool markdown);
/* Prints the effective settings as an INI file (`confab check`). */
void config_print(const struct config *c, FILE *out);

#endif
