#include "bridge/outgoing/fetch_turns.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

/* How many of a host or owner are under way. Lives as long as a lane has it. */
struct fetch_count {
    UT_hash_handle hh;
    unsigned under_way;
    size_t lanes;
    char name[];
};

TAILQ_HEAD(fetch_queue, fetch_turn);

struct fetch_lane {
    UT_hash_handle hh;
    TAILQ_ENTRY(fetch_lane) entry; /* of turns.ready while somebody waits */
    struct fetch_queue waiting;
    size_t members; /* waiting or under way */
    struct fetch_count *host, *owner;
    size_t name_len;
    char name[]; /* owner, NUL, host */
};

void fetch_turns_init(struct fetch_turns *t, unsigned concurrent,
                      unsigned per_host, unsigned per_owner)
{
    *t = (struct fetch_turns){
        .concurrent = concurrent,
        .per_host = per_host,
        .per_owner = per_owner,
    };
    TAILQ_INIT(&t->ready);
}

static struct fetch_count *count_use(struct fetch_count **counts,
                                     const char *name)
{
    struct fetch_count *c;
    const size_t len = strlen(name);

    HASH_FIND(hh, *counts, name, len, c);
    if (c == NULL) {
        c = calloc(1, sizeof(*c) + len + 1);
        if (c == NULL)
            return NULL;
        memcpy(c->name, name, len);
        HASH_ADD_KEYPTR(hh, *counts, c->name, len, c);
    }
    c->lanes++;
    return c;
}

static void count_drop(struct fetch_count **counts, struct fetch_count *c)
{
    if (c == NULL || --c->lanes > 0)
        return;
    HASH_DEL(*counts, c);
    free(c);
}

static void lane_free(struct fetch_turns *t, struct fetch_lane *lane)
{
    count_drop(&t->hosts, lane->host);
    count_drop(&t->owners, lane->owner);
    free(lane);
}

static struct fetch_lane *lane_new(struct fetch_turns *t, const char *owner,
                                   const char *host)
{
    const size_t owner_len = strlen(owner), host_len = strlen(host);
    struct fetch_lane *lane =
        calloc(1, sizeof(*lane) + owner_len + 1 + host_len);

    if (lane == NULL)
        return NULL;
    TAILQ_INIT(&lane->waiting);
    lane->name_len = owner_len + 1 + host_len;
    memcpy(lane->name, owner, owner_len);
    memcpy(lane->name + owner_len + 1, host, host_len);
    lane->host = count_use(&t->hosts, host);
    lane->owner = count_use(&t->owners, owner);
    if (lane->host == NULL || lane->owner == NULL) {
        lane_free(t, lane);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, t->lanes, lane->name, lane->name_len, lane);
    return lane;
}

static struct fetch_lane *lane_find(struct fetch_turns *t, const char *owner,
                                    const char *host)
{
    const size_t owner_len = strlen(owner), host_len = strlen(host);
    char name[owner_len + 1 + host_len + 1];
    struct fetch_lane *lane;

    memcpy(name, owner, owner_len + 1);
    memcpy(name + owner_len + 1, host, host_len + 1);
    HASH_FIND(hh, t->lanes, name, owner_len + 1 + host_len, lane);
    return lane;
}

bool fetch_turns_wait(struct fetch_turns *t, struct fetch_turn *turn,
                      const char *owner, const char *host)
{
    struct fetch_lane *lane = lane_find(t, owner, host);

    if (lane == NULL)
        lane = lane_new(t, owner, host);
    if (lane == NULL)
        return false;
    if (TAILQ_EMPTY(&lane->waiting))
        TAILQ_INSERT_TAIL(&t->ready, lane, entry);
    TAILQ_INSERT_TAIL(&lane->waiting, turn, entry);
    turn->lane = lane;
    turn->under_way = false;
    lane->members++;
    t->waiting++;
    return true;
}

static void stop_waiting(struct fetch_turns *t, struct fetch_turn *turn)
{
    struct fetch_lane *lane = turn->lane;

    TAILQ_REMOVE(&lane->waiting, turn, entry);
    t->waiting--;
    if (TAILQ_EMPTY(&lane->waiting))
        TAILQ_REMOVE(&t->ready, lane, entry);
}

static struct fetch_turn *lane_begin(struct fetch_turns *t,
                                     struct fetch_lane *lane)
{
    struct fetch_turn *turn = TAILQ_FIRST(&lane->waiting);

    stop_waiting(t, turn);
    if (!TAILQ_EMPTY(&lane->waiting)) { /* behind the others */
        TAILQ_REMOVE(&t->ready, lane, entry);
        TAILQ_INSERT_TAIL(&t->ready, lane, entry);
    }
    turn->under_way = true;
    lane->host->under_way++;
    lane->owner->under_way++;
    t->under_way++;
    return turn;
}

struct fetch_turn *fetch_turns_next(struct fetch_turns *t)
{
    struct fetch_lane *lane;

    if (t->under_way >= t->concurrent)
        return NULL;
    TAILQ_FOREACH (lane, &t->ready, entry)
        if (lane->host->under_way < t->per_host &&
            lane->owner->under_way < t->per_owner)
            return lane_begin(t, lane);
    return NULL;
}

void fetch_turns_leave(struct fetch_turns *t, struct fetch_turn *turn)
{
    struct fetch_lane *lane = turn->lane;

    if (turn->under_way) {
        lane->host->under_way--;
        lane->owner->under_way--;
        t->under_way--;
    } else {
        stop_waiting(t, turn);
    }
    turn->lane = NULL;
    if (--lane->members > 0)
        return;
    HASH_DEL(t->lanes, lane);
    lane_free(t, lane);
}
