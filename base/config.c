#include "base/config.h"
#include "base/address_list.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/config_keys.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/map_size.h"
#include "base/reserved_name.h"
#include "base/topic.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_CHOICE };

struct key {
    const char *section, *name;
    enum key_type type;
    size_t offset, size; /* of the field in struct config */
    const char *initial;
    uint64_t initial_number, min, max;
    const char *unit; /* choices: the words, separated by spaces */
    const char *meaning;
};

#define FIELD(f) offsetof(struct config, f), sizeof(((struct config *)0)->f)
#define TEXT(s, k, f, def, unit, meaning)                                     \
    {#s, #k, KEY_TEXT, FIELD(f), def, 0, 0, 0, unit, meaning},
#define NUMBER(s, k, f, def, min, max, unit, meaning)                         \
    {#s, #k, KEY_NUMBER, FIELD(f), #def, def, min, max, unit, meaning},
#define CHOICE(s, k, f, def, words, meaning)                                  \
    {#s, #k, KEY_CHOICE, FIELD(f), def, 0, 0, 0, words, meaning},
static const struct key keys[] = {CONFIG_KEYS(TEXT, NUMBER, CHOICE)};
#undef TEXT
#undef NUMBER
#undef CHOICE

struct plan_key {
    const char *name;
    size_t offset;
    const char *unit;
    uint64_t initial[4]; /* free, home, paid, local */
    const char *meaning;
};

#define X(k, unit, free_, home, paid, local, meaning)                         \
    {#k, offsetof(struct plan, k), unit, {free_, home, paid, local}, meaning},
static const struct plan_key plan_keys[] = {CONFIG_PLAN_KEYS(X)};
#undef X

static const char *const first_plans[] = {"free", "home", "paid", "local"};

#define PLAN_SECTION "plan:"
#define PLAN_OF_OPERATORS "home"
#define SOURCE_DEFAULT "default"

static bool config_refuse(struct config_error *ret, const char *source,
                          const char *key, const char *value, const char *want)
{
    snprintf(ret->text, sizeof(ret->text), "%.200s: %.80s = %.80s: %.120s",
             source, key, value, want);
    return false;
}

static bool parse_number(const char *text, uint64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false; /* strtoull() would accept a sign and spaces */
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

struct suffix {
    const char *unit, *text;
    uint64_t factor;
};

static const struct suffix suffixes[] = {
    {"bytes", "K", UINT64_C(1) << 10},
    {"bytes", "M", UINT64_C(1) << 20},
    {"bytes", "G", UINT64_C(1) << 30},
    {"bytes", "T", UINT64_C(1) << 40},
    {"seconds", "s", 1},
    {"seconds", "m", 60},
    {"seconds", "h", 3600},
    {"seconds", "d", 86400},
    {"seconds", "w", 7 * 86400},
    {"milliseconds", "ms", 1},
    {"milliseconds", "s", 1000},
    {"milliseconds", "m", 60000},
    {"milliseconds", "h", 3600000},
};

bool config_quantity(const char *text, const char *unit, uint64_t *ret)
{
    char digits[24];
    uint64_t number;
    const size_t len = strspn(text, "0123456789");

    if (text[len] == '\0')
        return parse_number(text, ret);
    if (len >= sizeof(digits))
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    for (size_t i = 0; i < COUNT(suffixes); i++) {
        const struct suffix *s = &suffixes[i];
        if (strcmp(s->unit, unit) != 0 || strcmp(s->text, text + len) != 0)
            continue;
        if (!parse_number(digits, &number) || number > UINT64_MAX / s->factor)
            return false;
        *ret = number * s->factor;
        return true;
    }
    return false;
}

/* " or like 64G" */
static const char *example_of(const char *unit)
{
    if (strcmp(unit, "bytes") == 0)
        return ", or with K, M, G, T like 64G";
    if (strcmp(unit, "seconds") == 0)
        return ", or with s, m, h, d, w like 7d";
    return strcmp(unit, "milliseconds") == 0 ? ", or with ms, s, m, h like 3s"
                                             : "";
}

/* Position of `word` in the space separated `words`, or -1. */
static int find_word(const char *words, const char *word)
{
    const size_t len = strlen(word);

    for (int i = 0; *words != '\0'; i++) {
        const size_t n = strcspn(words, " ");
        if (n == len && len > 0 && memcmp(words, word, n) == 0)
            return i;
        words += n + strspn(words + n, " ");
    }
    return -1;
}

static void store_number(void *field, size_t size, uint64_t value)
{
    if (size == sizeof(uint64_t)) {
        memcpy(field, &value, sizeof(value));
    } else {
        const unsigned small = (unsigned)value; /* an enum */
        memcpy(field, &small, sizeof(small));
    }
}

static uint64_t load_number(const void *field, size_t size)
{
    uint64_t value = 0;
    unsigned small = 0;

    if (size == sizeof(uint64_t)) {
        memcpy(&value, field, sizeof(value));
        return value;
    }
    memcpy(&small, field, sizeof(small));
    return small;
}

/* The host part, without brackets; false if the port is invalid. */
static bool split_listen(const char *listen, char *host, size_t size)
{
    const char *colon = strrchr(listen, ':');
    uint64_t port;

    if (colon == NULL || colon == listen || !parse_number(colon + 1, &port) ||
        port > 65535)
        return false;
    size_t len = (size_t)(colon - listen);
    if (listen[0] == '[') {
        if (len < 3 || listen[len - 1] != ']')
            return false;
        listen++;
        len -= 2;
    } else if (memchr(listen, ':', len) != NULL) {
        return false; /* an IPv6 address needs its brackets */
    }
    if (len >= size)
        return false;
    memcpy(host, listen, len);
    host[len] = '\0';
    return true;
}

static bool is_listen(const char *value)
{
    char host[CONFIG_VALUE_MAX];

    return split_listen(value, host, sizeof(host));
}

static bool is_listen_key(const struct key *k)
{
    const size_t len = strlen(k->name), end = strlen("listen");

    return len >= end && strcmp(k->name + len - end, "listen") == 0;
}

static bool is_cidr_list(const char *value)
{
    struct cidr_list list;

    return cidr_list_parse(value, &list);
}

/* Segments of unreserved characters (RFC 3986 §2.3), which no client encodes. */
static bool is_path_prefix(const char *value)
{
    for (const char *p = value; *p != '\0';) {
        if (*p++ != '/')
            return false;
        const size_t len =
            strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                      "0123456789-._~");
        if (len == 0 || (len <= 2 && strspn(p, ".") >= len))
            return false; /* clients resolve . and .. */
        p += len;
    }
    return true;
}

static bool set_key(struct config *c, const struct key *k, const char *value,
                    const char *source, struct config_error *ret_error)
{
    void *field = (char *)c + k->offset;
    char name[2 * CONFIG_NAME_MAX], want[256];
    uint64_t number;

    snprintf(name, sizeof(name), "%s.%s", k->section, k->name);
    switch (k->type) {
    case KEY_TEXT:
        if (value[0] == '\0' && k->initial[0] == '\0') { /* off */
            *(char *)field = '\0';
            return true;
        }
        if (value[0] == '\0' || strlen(value) >= k->size)
            return config_refuse(ret_error, source, name, value,
                                 "must not be empty or that long");
        if (is_listen_key(k) && !is_listen(value))
            return config_refuse(
                ret_error, source, name, value,
                "must be address:port, like 127.0.0.1:8080, [::1]:0 "
                "or 0.0.0.0:80");
        if (strcmp(k->name, "prefix") == 0 && !is_path_prefix(value))
            return config_refuse(
                ret_error, source, name, value,
                "must be a path like /iot, of letters, digits and "
                "-._~, without a / at the end");
        if (k->offset == offsetof(struct config, outgoing_allow) &&
            !is_cidr_list(value))
            return config_refuse(
                ret_error, source, name, value,
                "must be up to 64 addresses or ranges separated by blanks, "
                "like 127.0.0.1 10.1.0.0/16 fd12::/16");
        memcpy(field, value, strlen(value) + 1);
        if (k->offset == offsetof(struct config, tokens_default_plan))
            snprintf(c->default_plan_source, sizeof(c->default_plan_source),
                     "%s", source);
        if (k->offset == offsetof(struct config, tokens_operator_plan))
            snprintf(c->operator_plan_source, sizeof(c->operator_plan_source),
                     "%s", source);
        return true;
    case KEY_NUMBER:
        if (config_quantity(value, k->unit, &number) && number >= k->min &&
            number <= k->max) {
            store_number(field, k->size, number);
            return true;
        }
        snprintf(want, sizeof(want),
                 "must be a whole number from %llu to %llu (%s)%s",
                 (unsigned long long)k->min, (unsigned long long)k->max,
                 k->unit, example_of(k->unit));
        return config_refuse(ret_error, source, name, value, want);
    case KEY_CHOICE: break;
    }
    const int word = find_word(k->unit, value);
    if (word < 0) {
        snprintf(want, sizeof(want), "must be one of: %s", k->unit);
        return config_refuse(ret_error, source, name, value, want);
    }
    store_number(field, k->size, (uint64_t)word);
    return true;
}

static struct plan *find_plan(struct config *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->plan_count; i++)
        if (strlen(c->plans[i].name) == len &&
            memcmp(c->plans[i].name, name, len) == 0)
            return &c->plans[i];
    return NULL;
}

static bool plan_name_valid(const char *name)
{
    const size_t len = strlen(name);

    return len > 0 && len <= 40 && /* inih cuts sections at 49 */
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_-") == len;
}

/* The first setting of a new plan creates it: without limits except
 * payload_max, which is that of plan free unless set. */
static struct plan *plan_for(struct config *c, const char *name,
                             const char *source,
                             struct config_error *ret_error)
{
    struct plan *p = find_plan(c, name, strlen(name));

    if (p != NULL)
        return p;
    if (!plan_name_valid(name)) {
        config_refuse(ret_error, source, "plan", name,
                      "plan names are letters, digits, - and _");
        return NULL;
    }
    if (c->plan_count == CONFIG_PLANS_MAX) {
        config_refuse(ret_error, source, "plan", name,
                      "too many plans (most: 64)");
        return NULL;
    }
    p = &c->plans[c->plan_count++];
    *p = (struct plan){.payload_max = 10240};
    memcpy(p->name, name, strlen(name) + 1);
    return p;
}

static bool set_plan_key(struct config *c, const char *plan, const char *key,
                         const char *value, const char *source,
                         struct config_error *ret_error)
{
    char name[3 * CONFIG_NAME_MAX], want[128];
    uint64_t number;

    snprintf(name, sizeof(name), PLAN_SECTION "%.64s.%.64s", plan, key);
    for (size_t i = 0; i < COUNT(plan_keys); i++) {
        if (strcmp(plan_keys[i].name, key) != 0)
            continue;
        /* 2^53: the largest integer that JSON readers represent exactly */
        if (!config_quantity(value, plan_keys[i].unit, &number) ||
            number > (UINT64_C(1) << 53)) {
            snprintf(want, sizeof(want),
                     "must be a whole number, 0 for none%s",
                     example_of(plan_keys[i].unit));
            return config_refuse(ret_error, source, name, value, want);
        }
        struct plan *p = plan_for(c, plan, source, ret_error);
        if (p == NULL)
            return false;
        memcpy((char *)p + plan_keys[i].offset, &number, sizeof(number));
        return true;
    }
    return config_refuse(ret_error, source, name, value,
                         "unknown key (confab check --help lists all)");
}

static bool set_named(struct config *c, const char *section, const char *name,
                      const char *value, const char *source,
                      struct config_error *ret_error)
{
    char full[2 * CONFIG_NAME_MAX];

    if (strncmp(section, PLAN_SECTION, strlen(PLAN_SECTION)) == 0)
        return set_plan_key(c, section + strlen(PLAN_SECTION), name, value,
                            source, ret_error);
    for (size_t i = 0; i < COUNT(keys); i++)
        if (strcmp(keys[i].section, section) == 0 &&
            strcmp(keys[i].name, name) == 0)
            return set_key(c, &keys[i], value, source, ret_error);
    snprintf(full, sizeof(full), "%.60s.%.60s", section, name);
    return config_refuse(ret_error, source, full, value,
                         "unknown key (confab check --help lists all)");
}

void config_defaults(struct config *ret_config)
{
    struct config_error ignored;

    memset(ret_config, 0, sizeof(*ret_config));
    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct key *k = &keys[i];
        if (k->type == KEY_NUMBER)
            store_number((char *)ret_config + k->offset, k->size,
                         k->initial_number);
        else
            set_key(ret_config, k, k->initial, SOURCE_DEFAULT, &ignored);
    }
    for (size_t i = 0; i < COUNT(first_plans); i++) {
        struct plan *p = &ret_config->plans[ret_config->plan_count++];
        memcpy(p->name, first_plans[i], strlen(first_plans[i]) + 1);
        for (size_t k = 0; k < COUNT(plan_keys); k++)
            memcpy((char *)p + plan_keys[k].offset, &plan_keys[k].initial[i],
                   sizeof(uint64_t));
    }
}

struct file_reading {
    struct config *config;
    const char *path;
    struct config_error *error;
    FILE *file;
    int line;
    bool refused; /* error says why; only the first error is kept */
};

static const char *file_source(const struct file_reading *r, char *out,
                               size_t size)
{
    snprintf(out, size, "%.400s:%d", r->path, r->line);
    return out;
}

/* The line reader for inih. Debian's inih does not pass line numbers to the
 * handler, but calls it right after reading the line, so counting lines here
 * is enough. Leading blanks are dropped: inih would read an indented key as a
 * continuation of the value above. */
static char *read_line(char *out, int size, void *stream)
{
    struct file_reading *r = stream;
    char source[512];

    if (r->refused || fgets(out, size, r->file) == NULL)
        return NULL;
    r->line++;
    const size_t len = strlen(out);
    const size_t blanks = strspn(out, " \t");
    const char *wrong = NULL;
    if (len + 1 == (size_t)size && out[len - 1] != '\n')
        wrong = "longer than 199 bytes";
    else if (out[blanks] == '[' && strchr(out, ']') == NULL)
        wrong = "a section ends with ]"; /* inih would accept the line */
    if (wrong != NULL) {
        r->refused = true;
        out[strcspn(out, "\r\n")] = '\0';
        config_refuse(r->error, file_source(r, source, sizeof(source)), "line",
                      out, wrong);
        return NULL;
    }
    memmove(out, out + blanks, len - blanks + 1);
    return out;
}

static int take_line(void *arg, const char *section, const char *name,
                     const char *value)
{
    struct file_reading *r = arg;
    char source[512];

    if (set_named(r->config, section, name, value,
                  file_source(r, source, sizeof(source)), r->error))
        return 1;
    r->refused = true;
    return 0;
}

bool config_read_file(struct config *c, const char *path,
                      struct config_error *ret_error)
{
    struct file_reading r = {.config = c, .path = path, .error = ret_error};

    r.file = fopen(path, "re");
    if (r.file == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text), "%.300s: %s", path,
                 error_text(errno));
        return false;
    }
    const int line = ini_parse_stream(read_line, &r, take_line, &r);
    if (ferror(r.file) && !r.refused) { /* a folder, for example */
        snprintf(ret_error->text, sizeof(ret_error->text), "%.300s: %s", path,
                 error_text(errno));
        r.refused = true;
    }
    fclose(r.file);
    if (line != 0 && !r.refused) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "%.300s:%d: expected [section] or key = value", path, line);
        return false;
    }
    return !r.refused;
}

#define PLAN_VARIABLE "CONFAB_PLAN_"

/* A name as environment variables spell it: in capitals, with _ for -. */
static char as_in_variable(char c)
{
    return c == '-' ? '_' : (char)toupper((unsigned char)c);
}

static bool stands_for(const char *text, size_t len, const char *name)
{
    for (size_t i = 0; i < len; i++)
        if (name[i] == '\0' || text[i] != as_in_variable(name[i]))
            return false;
    return name[len] == '\0';
}

/* The longest key that `text` ends with; NULL: none. */
static const struct plan_key *key_at_end(const char *text, size_t len,
                                         size_t *ret_key_len)
{
    const struct plan_key *found = NULL;

    for (size_t i = 0; i < COUNT(plan_keys); i++) {
        const size_t n = strlen(plan_keys[i].name);
        if (n + 1 < len && text[len - n - 1] == '_' &&
            stands_for(text + len - n, n, plan_keys[i].name) &&
            (found == NULL || n > *ret_key_len)) {
            found = &plan_keys[i];
            *ret_key_len = n;
        }
    }
    return found;
}

/* CONFAB_PLAN_FREE_WRITES_PER_HOUR=1000. A new plan gets its name in lower
 * case. */
static bool set_plan_variable(struct config *c, const char *variable,
                              struct config_error *ret_error)
{
    const char *text = variable + strlen(PLAN_VARIABLE);
    const size_t len = strcspn(text, "=");
    char source[CONFIG_VALUE_MAX], plan[CONFIG_NAME_MAX];
    size_t key_len = 0;

    snprintf(source, sizeof(source), "%.*s",
             (int)(len + strlen(PLAN_VARIABLE)), variable);
    const struct plan_key *key = key_at_end(text, len, &key_len);
    if (key == NULL || len - key_len - 1 >= sizeof(plan))
        return config_refuse(ret_error, source, "plan", text + len + 1,
                             "expected CONFAB_PLAN_<plan>_<key of plans>");
    const size_t plan_len = len - key_len - 1;
    for (size_t i = 0; i < plan_len; i++)
        plan[i] = (char)tolower((unsigned char)text[i]);
    plan[plan_len] = '\0';
    for (size_t i = 0; i < c->plan_count; i++)
        if (stands_for(text, plan_len, c->plans[i].name))
            memcpy(plan, c->plans[i].name, strlen(c->plans[i].name) + 1);
    return set_plan_key(c, plan, key->name, text + len + 1, source, ret_error);
}

bool config_read_environment(struct config *c, char *const *environment,
                             struct config_error *ret_error)
{
    for (char *const *e = environment; e != NULL && *e != NULL; e++)
        if (strncmp(*e, PLAN_VARIABLE, strlen(PLAN_VARIABLE)) == 0 &&
            strchr(*e, '=') != NULL && !set_plan_variable(c, *e, ret_error))
            return false;
    for (size_t i = 0; i < COUNT(keys); i++) {
        char name[2 * CONFIG_NAME_MAX];
        const int n = snprintf(name, sizeof(name), "CONFAB_%s_%s",
                               keys[i].section, keys[i].name);
        for (int j = 0; j < n; j++)
            name[j] =
                name[j] == ':' ? '_' : (char)toupper((unsigned char)name[j]);
        for (char *const *e = environment; e != NULL && *e != NULL; e++)
            if (strncmp(*e, name, (size_t)n) == 0 && (*e)[n] == '=' &&
                !set_key(c, &keys[i], *e + n + 1, name, ret_error))
                return false;
    }
    return true;
}

bool config_set(struct config *c, const char *key_equals_value,
                struct config_error *ret_error)
{
    char text[CONFIG_VALUE_MAX + 3 * CONFIG_NAME_MAX];

    if (strlen(key_equals_value) >= sizeof(text))
        return config_refuse(ret_error, "-s", "…", key_equals_value,
                             "too long");
    memcpy(text, key_equals_value, strlen(key_equals_value) + 1);
    char *value = strchr(text, '=');
    if (value != NULL)
        *value++ = '\0';
    char *name = strrchr(text, '.');
    if (value == NULL || name == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "-s %.300s: expected section.key=value", key_equals_value);
        return false;
    }
    *name++ = '\0';
    return set_named(c, text, name, value, "-s", ret_error);
}

bool config_is_loopback(const char *listen)
{
    char host[CONFIG_VALUE_MAX];
    struct in_addr v4;
    struct in6_addr v6;

    if (!split_listen(listen, host, sizeof(host)))
        return false;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0;
}

static bool refuse_incomplete(struct config_error *ret, const char *text)
{
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    return false;
}

/* Incomplete TLS settings would not do what was meant. */
static bool check_tls(const struct config *c, struct config_error *ret_error)
{
    const bool has_ca = c->mqtt_tls_client_ca[0] != '\0';
    const bool asks = c->mqtt_tls_client_cert != CLIENT_CERT_NONE;

    if (asks && !has_ca)
        return refuse_incomplete(ret_error,
                                 "mqtt.tls_client_cert: needs "
                                 "mqtt.tls_client_ca, the CAs to believe");
    if (has_ca && !asks)
        return refuse_incomplete(
            ret_error, "mqtt.tls_client_ca: has no effect unless "
                       "mqtt.tls_client_cert is optional or required");
    if (c->mqtt_tls_listen[0] == '\0')
        return !asks ||
               refuse_incomplete(ret_error,
                                 "mqtt.tls_client_cert: has no effect "
                                 "without mqtt.tls_listen");
    return (c->mqtt_tls_cert[0] != '\0' && c->mqtt_tls_key[0] != '\0') ||
           refuse_incomplete(
               ret_error,
               "mqtt.tls_listen: needs mqtt.tls_cert and mqtt.tls_key");
}

/* Whoever is believed could name any address as the client's. */
static bool check_proxies(const char *section, const char *list,
                          enum config_switch protocol,
                          struct config_error *ret_error)
{
    struct address_list parsed = {0};
    struct slice bad;

    if (!address_list_add(&parsed, slice_str(list), &bad)) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "%s.trusted_proxies: %.*s: expected at most %d addresses and "
                 "networks like 192.0.2.7, 10.0.0.0/8 or fd00::/8",
                 section, bad.len < 60 ? (int)bad.len : 60,
                 (const char *)bad.data, ADDRESS_LIST_MAX);
        return false;
    }
    if (protocol == SWITCH_OFF || parsed.count > 0)
        return true;
    snprintf(ret_error->text, sizeof(ret_error->text),
             "%s.proxy_protocol: needs %s.trusted_proxies, the proxies to "
             "believe",
             section, section);
    return false;
}

#define DOOR_SECTION "door:"

static bool doors_are_loopback(const struct config *c)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        const char *value = (const char *)c + keys[i].offset;
        if (strncmp(keys[i].section, DOOR_SECTION, strlen(DOOR_SECTION)) ==
                0 &&
            is_listen_key(&keys[i]) && value[0] != '\0' &&
            !config_is_loopback(value))
            return false;
    }
    return true;
}

/* What comes to loopback with a PROXY header is from elsewhere. */
static bool all_loopback(const struct config *c)
{
    return doors_are_loopback(c) && c->http_proxy_protocol == SWITCH_OFF &&
           c->mqtt_proxy_protocol == SWITCH_OFF &&
           config_is_loopback(c->http_listen) &&
           config_is_loopback(c->mqtt_listen) &&
           (c->mqtt_tls_listen[0] == '\0' ||
            config_is_loopback(c->mqtt_tls_listen));
}

/* In earlier versions tokens.default_plan was the plan of all tokens. */
static void settle_operator_plan(struct config *c)
{
    const bool was_set = strcmp(c->default_plan_source, SOURCE_DEFAULT) != 0;
    const char *plan = was_set ? c->tokens_default_plan : PLAN_OF_OPERATORS;

    if (c->tokens_operator_plan[0] != '\0')
        return;
    memmove(c->tokens_operator_plan, plan, strlen(plan) + 1);
    memcpy(c->operator_plan_source, c->default_plan_source,
           sizeof(c->operator_plan_source));
}

static bool check_plans(struct config *c, struct config_error *ret_error)
{
    static const char want[] = "no such plan: add a section [plan:NAME]";

    if (config_plan(c, slice_str(c->tokens_default_plan)) == NULL)
        return config_refuse(ret_error, c->default_plan_source,
                             "tokens.default_plan", c->tokens_default_plan,
                             want);
    settle_operator_plan(c);
    if (config_plan(c, slice_str(c->tokens_operator_plan)) == NULL)
        return config_refuse(ret_error, c->operator_plan_source,
                             "tokens.operator_plan", c->tokens_operator_plan,
                             want);
    return true;
}

/* Topics begin with it, and no tenant may have the name of a path. */
static bool check_rooms(const struct config *c, struct config_error *ret_error)
{
    const struct slice tenant = slice_str(c->rooms.tenant);

    if (token_valid(tenant) && !name_is_reserved(tenant))
        return true;
    snprintf(ret_error->text, sizeof(ret_error->text),
             "door:rooms.tenant: must be 1 to 64 of A-Z a-z 0-9 _ -, and no "
             "name that paths of this server begin with");
    return false;
}

bool config_finish(struct config *c, struct config_error *ret_error)
{
    if (!check_plans(c, ret_error) || !check_rooms(c, ret_error))
        return false;
    if (!check_tls(c, ret_error) ||
        !check_proxies("http", c->http_trusted_proxies, c->http_proxy_protocol,
                       ret_error) ||
        !check_proxies("mqtt", c->mqtt_trusted_proxies, c->mqtt_proxy_protocol,
                       ret_error))
        return false;
    if (c->tokens_access == ACCESS_AUTO)
        c->tokens_access = all_loopback(c) ? ACCESS_OPEN : ACCESS_REGISTERED;
    return true;
}

static const struct plan *plan_in(const struct config *c, struct slice name)
{
    for (size_t i = 0; i < c->plan_count; i++)
        if (slice_eq(slice_str(c->plans[i].name), name))
            return &c->plans[i];
    return NULL;
}

const struct config *config_newest(const struct config *c)
{
    const struct config *newest =
        atomic_load_explicit(&c->newest, memory_order_acquire);

    return newest != NULL ? newest : c;
}

void config_adopt(struct config *c, struct config *fresh)
{
    /* The previous settings stay allocated: connections use their plans. */
    atomic_store(&fresh->newest, atomic_load(&c->newest));
    atomic_store_explicit(&c->newest, fresh, memory_order_release);
}

static void show_value(const struct key *k, const struct config *c, char *out,
                       size_t size)
{
    const char *field = (const char *)c + k->offset;

    if (k->type == KEY_TEXT)
        snprintf(out, size, "%.200s", field[0] != '\0' ? field : "(empty)");
    else if (k->type == KEY_NUMBER)
        snprintf(out, size, "%llu",
                 (unsigned long long)load_number(field, k->size));
    else {
        const char *word = k->unit;
        for (uint64_t i = load_number(field, k->size); i > 0; i--) {
            word += strcspn(word, " ");
            word += strspn(word, " ");
        }
        snprintf(out, size, "%.*s", (int)strcspn(word, " "), word);
    }
}

static bool holds_at_once(const struct key *k)
{
    return k->offset == offsetof(struct config, limits_connections) ||
           k->offset ==
               offsetof(struct config, limits_connections_per_address) ||
           k->offset == offsetof(struct config, limits_token_share) ||
           k->offset == offsetof(struct config, tokens_default_plan) ||
           k->offset == offsetof(struct config, tokens_operator_plan) ||
           k->offset == offsetof(struct config, tokens_public_creation);
}

static void show_plan_value(const struct plan *p, const struct plan_key *k,
                            char *out, size_t size)
{
    uint64_t value;

    if (p == NULL) {
        snprintf(out, size, "(no such plan)");
        return;
    }
    memcpy(&value, (const char *)p + k->offset, sizeof(value));
    snprintf(out, size, "%llu", (unsigned long long)value);
}

static unsigned plan_changes(const char *name, const struct plan *from,
                             const struct plan *to,
                             void (*tell)(const char *name, const char *from,
                                          const char *to, bool holds))
{
    char full[3 * CONFIG_NAME_MAX], before[32], after[32];
    unsigned count = 0;

    for (size_t i = 0; i < COUNT(plan_keys); i++) {
        show_plan_value(from, &plan_keys[i], before, sizeof(before));
        show_plan_value(to, &plan_keys[i], after, sizeof(after));
        if (strcmp(before, after) == 0)
            continue;
        snprintf(full, sizeof(full), PLAN_SECTION "%s.%s", name,
                 plan_keys[i].name);
        tell(full, before, after, true);
        count++;
    }
    return count;
}

unsigned config_changes(const struct config *from, const struct config *to,
                        void (*tell)(const char *name, const char *from,
                                     const char *to, bool holds))
{
    char name[2 * CONFIG_NAME_MAX], before[256], after[256];
    unsigned count = 0;

    for (size_t i = 0; i < COUNT(keys); i++) {
        show_value(&keys[i], from, before, sizeof(before));
        show_value(&keys[i], to, after, sizeof(after));
        if (strcmp(before, after) == 0)
            continue;
        snprintf(name, sizeof(name), "%s.%s", keys[i].section, keys[i].name);
        tell(name, before, after, holds_at_once(&keys[i]));
        count++;
    }
    for (size_t i = 0; i < to->plan_count; i++)
        count += plan_changes(to->plans[i].name,
                              plan_in(from, slice_str(to->plans[i].name)),
                              &to->plans[i], tell);
    for (size_t i = 0; i < from->plan_count; i++)
        if (plan_in(to, slice_str(from->plans[i].name)) == NULL)
            count +=
                plan_changes(from->plans[i].name, &from->plans[i], NULL, tell);
    return count;
}

const struct plan *config_plan(const struct config *c, struct slice name)
{
    return plan_in(config_newest(c), name);
}

const struct plan *config_plan_or_default(const struct config *c,
                                          struct slice name)
{
    const struct plan *plan = config_plan(c, name);

    return plan != NULL
               ? plan
               : config_plan(c,
                             slice_str(config_newest(c)->tokens_default_plan));
}

static void print_plan_keys(FILE *out, bool markdown)
{
    if (markdown)
        fputs("\n## Plans: sections `[plan:NAME]`\n\n"
              "0 means no limit, not sent, or keep all.\n\n"
              "| key | free | home | paid | local | unit | meaning |\n"
              "|---|---|---|---|---|---|---|\n",
              out);
    else
        fputs("\nEach plan, section [plan:NAME] or -s plan:NAME.key=value "
              "(0: none); free, home, paid, local:\n",
              out);
    for (size_t i = 0; i < COUNT(plan_keys); i++) {
        const struct plan_key *k = &plan_keys[i];
        fprintf(out,
                markdown ? "| `%s` | %llu | %llu | %llu | %llu | %s | %s |\n"
                         : "  %-18s %llu, %llu, %llu, %llu  (%s)\n"
                           "      %s\n",
                k->name, (unsigned long long)k->initial[0],
                (unsigned long long)k->initial[1],
                (unsigned long long)k->initial[2],
                (unsigned long long)k->initial[3], k->unit, k->meaning);
    }
}

void config_print_keys(FILE *out, bool markdown)
{
    if (markdown)
        fputs("| key | default | unit or choices | meaning |\n"
              "|---|---|---|---|\n",
              out);
    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct key *k = &keys[i];
        char initial[CONFIG_NAME_MAX];
        if (k->type == KEY_NUMBER)
            snprintf(initial, sizeof(initial), "%llu",
                     (unsigned long long)k->initial_number);
        else
            snprintf(initial, sizeof(initial), "%s",
                     k->initial[0] != '\0' ? k->initial : "(empty)");
        fprintf(out,
                markdown ? "| `%s.%s` | `%s` | %s | %s |\n"
                         : "  %s.%s = %s  (%s)\n      %s\n",
                k->section, k->name, initial, k->unit, k->meaning);
    }
    print_plan_keys(out, markdown);
}

/* The word at position `index` of `words`. */
static void print_word(FILE *out, const char *words, uint64_t index)
{
    for (; index > 0; index--) {
        words += strcspn(words, " ");
        words += strspn(words, " ");
    }
    fprintf(out, "%.*s\n", (int)strcspn(words, " "), words);
}

void config_print(const struct config *c, FILE *out)
{
    const char *section = "";

    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct key *k = &keys[i];
        const char *field = (const char *)c + k->offset;
        if (strcmp(section, k->section) != 0)
            fprintf(out, "%s[%s]\n", i == 0 ? "" : "\n", k->section);
        section = k->section;
        fprintf(out, "%s = ", k->name);
        if (k->type == KEY_TEXT)
            fprintf(out, "%s\n", field);
        else if (k->type == KEY_NUMBER)
            fprintf(out, "%llu\n",
                    (unsigned long long)load_number(field, k->size));
        else
            print_word(out, k->unit, load_number(field, k->size));
    }
    for (size_t p = 0; p < c->plan_count; p++) {
        fprintf(out, "\n[" PLAN_SECTION "%s]\n", c->plans[p].name);
        for (size_t i = 0; i < COUNT(plan_keys); i++) {
            uint64_t v;
            memcpy(&v, (const char *)&c->plans[p] + plan_keys[i].offset,
                   sizeof(v));
            fprintf(out, "%s = %llu\n", plan_keys[i].name,
                    (unsigned long long)v);
        }
    }
}
