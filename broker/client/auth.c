#include "broker/client/auth.h"

#include "base/event_topic.h"
#include "base/plan_limits.h"
#include "base/topic.h"
#include "base/vocabulary.h"
#include "broker/client/sys_topics.h"
#include "broker/wire/reason.h"

#define PLAN_OF_OPEN_MODE "local"

static bool starts_with(struct slice s, const char *prefix)
{
    const size_t len = strlen(prefix);

    return s.len >= len && memcmp(s.data, prefix, len) == 0;
}

static struct slice after_prefix(struct slice s, const char *prefix)
{
    const size_t len = strlen(prefix);

    return slice_of((const char *)s.data + len, s.len - len);
}

/* ---- CONNECT ------------------------------------------------------------ */

static enum auth_verdict verdict_of(const struct config *config,
                                    enum store_err err,
                                    const struct token_row *row,
                                    struct plan *own,
                                    const struct plan **ret_plan)
{
    switch (err) {
    case STORE_OK:
        if (row->revoked_us != 0)
            return AUTH_REVOKED;
        if (row->named) /* its name is no secret */
            return AUTH_BAD;
        if (row->suspended_us != 0)
            return AUTH_SUSPENDED;
        if (row->implied && config->tokens_access != ACCESS_OPEN)
            return AUTH_BAD; /* nobody created it on purpose */
        *ret_plan = config_plan_of(config, row->plan, row->limits, own);
        return AUTH_OK;
    case STORE_NOTFOUND:
        if (config->tokens_access != ACCESS_OPEN)
            return AUTH_BAD;
        *ret_plan =
            config_plan_or_default(config, slice_str(PLAN_OF_OPEN_MODE));
        return AUTH_OK;
    default: return AUTH_STORE;
    }
}

enum auth_verdict auth_connect(const struct config *config,
                               struct store *store, struct slice user_name,
                               struct caller *ret_caller, struct plan *own)
{
    const struct plan *plan = NULL;
    struct token_row row;

    if (user_name.data == NULL) {
        if (config->tokens_access != ACCESS_OPEN)
            return AUTH_NAMELESS;
        *ret_caller = caller_nameless(
            config_plan_or_default(config, slice_str(PLAN_OF_OPEN_MODE)));
        return AUTH_OK;
    }
    if (!token_valid(user_name))
        return AUTH_BAD;

    struct store_reader *r = store_reader_acquire(store);
    if (r == NULL)
        return AUTH_STORE;
    enum store_err err = store_reader_begin(r);
    if (err == STORE_OK)
        err = store_token(r, user_name, &row);
    const enum auth_verdict verdict =
        verdict_of(config, err, &row, own, &plan);
    store_reader_release(r);
    *ret_caller = caller_of_token(user_name, plan);
    return verdict;
}

/* ---- topics ------------------------------------------------------------- */

/* `$events/<token>/…` */
static bool is_event(struct slice name)
{
    if (!starts_with(name, EVENTS_PREFIX))
        return false;
    const struct slice rest = after_prefix(name, EVENTS_PREFIX);
    const struct slice level = topic_first_level(rest);

    return level.len < rest.len && token_valid(level);
}

static enum publish_verdict publish_of_admin(struct slice topic)
{
    if (starts_with(topic, COMMAND_PREFIX))
        return PUBLISH_COMMAND;
    if (!topic_valid(topic) || !name_publishable(topic))
        return PUBLISH_INVALID;
    if (is_event(topic))
        return PUBLISH_EVENT;
    return *(const char *)topic.data == '$' ? PUBLISH_INVALID : PUBLISH_STORE;
}

/* Whoever may publish to the thing may publish events of it. */
static enum publish_verdict publish_of_event(struct slice topic)
{
    struct event_topic event;

    if (!event_topic_split(topic, &event) || !event_kind_valid(event.kind) ||
        !thing_valid(event.thing) || !name_publishable(event.thing))
        return PUBLISH_INVALID;
    return event_kind_reserved(event.kind) ? PUBLISH_RESERVED : PUBLISH_EVENT;
}

/* The state that a bridge publishes about itself,
 * `$SYS/broker/connection/<id>/state`, also as its will. 3.x cannot refuse
 * that without refusing the bridge. It is not stored, because other tenants
 * must not see it. */
static bool is_bridge_state(struct slice topic)
{
    const size_t suffix = strlen(SYS_BRIDGE_STATE);

    return starts_with(topic, SYS_BRIDGE) &&
           topic.len > strlen(SYS_BRIDGE) + suffix &&
           memcmp((const char *)topic.data + topic.len - suffix,
                  SYS_BRIDGE_STATE, suffix) == 0;
}

/* Whether the role may publish to it at all: `<token>/<thing>`, or without a
 * token any topic. */
static bool is_name_for(enum role role, struct slice topic)
{
    struct slice token, thing;

    return (role == ROLE_TOKEN ? topic_split(topic, &token, &thing)
                               : topic_valid(topic)) &&
           name_publishable(topic);
}

enum publish_verdict auth_publish(enum role role, const struct caller *caller,
                                  struct slice topic)
{
    if (topic.len == 0)
        return PUBLISH_INVALID;
    if (slice_eq(topic_first_level(topic), slice_str(SYS_LEVEL)))
        return is_bridge_state(topic) ? PUBLISH_DROP
                                      : PUBLISH_FOREIGN; /* the server's own */
    if (!caller_may(caller, CALLER_PUBLISH, topic))
        return role == ROLE_NAMELESS && *(const char *)topic.data == '$'
                   ? PUBLISH_DROP
                   : PUBLISH_FOREIGN;
    if (role == ROLE_ADMIN)
        return publish_of_admin(topic);
    if (starts_with(topic, EVENTS_PREFIX))
        return publish_of_event(topic);
    return is_name_for(role, topic) ? PUBLISH_STORE : PUBLISH_INVALID;
}

uint8_t auth_subscribe(const struct caller *caller, struct slice filter)
{
    struct slice group, shared;

    /* It could match no topic that is accepted. */
    if (!name_publishable(filter))
        return REASON_TOPIC_FILTER_INVALID;
    if (filter_is_shared(filter) ? !filter_share(filter, &group, &shared)
                                 : !filter_valid(filter))
        return REASON_TOPIC_FILTER_INVALID;
    return caller_may(caller, CALLER_SUBSCRIBE, filter)
               ? 0
               : REASON_NOT_AUTHORIZED;
}

/* ---- sizes -------------------------------------------------------------- */

static uint64_t payload_max(const struct plan *plan)
{
    return plan->payload_max == 0 || plan->payload_max > AUTH_PAYLOAD_MAX
               ? AUTH_PAYLOAD_MAX
               : plan->payload_max;
}

uint32_t auth_packet_max(const struct config *config, const struct plan *plan)
{
    uint64_t most = 0;

    if (plan != NULL)
        return (uint32_t)payload_max(plan) + PACKET_OVERHEAD_MAX;
    const struct config *newest = config_newest(config);
    for (size_t i = 0; i < newest->plan_count; i++)
        if (payload_max(&newest->plans[i]) > most)
            most = payload_max(&newest->plans[i]);
    return (uint32_t)most + PACKET_OVERHEAD_MAX;
}

uint32_t auth_session_expiry(enum role role, const struct plan *plan,
                             uint32_t asked_s)
{
    if (role == ROLE_ADMIN)
        return 0; /* it queues requests (bridge/link/link_queue.h) */
    if (plan->session_expiry != 0 && asked_s > plan->session_expiry)
        return (uint32_t)plan->session_expiry;
    return asked_s;
}
