#include "store/read/merge.h"

#include <stdlib.h>

#include "store/read/catchup.h"
#include "store/read/history.h"

struct source {
    uint64_t id; /* of its next message */
    struct history history;
    char topic[]; /* history.topic's bytes */
};

struct merge {
    uint64_t after, end;
    bool full;
    size_t count;
    size_t latest; /* while planning with all places taken: the source with
                      the greatest id */
    struct source
        *sources[MERGE_SOURCES]; /* running: a heap, least id first */
};

struct merge *merge_new(void)
{
    return calloc(1, sizeof(struct merge));
}

static void free_sources(struct merge *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->sources[i]);
    m->count = 0;
}

void merge_free(struct merge *m)
{
    if (m == NULL)
        return;
    free_sources(m);
    free(m);
}

void merge_start(struct merge *m, uint64_t after, uint64_t upto)
{
    free_sources(m);
    m->after = after;
    m->end = upto;
    m->full = false;
}

uint64_t merge_end(const struct merge *m)
{
    return m->end;
}

bool merge_full(const struct merge *m)
{
    return m->full;
}

/* ---- planning ---------------------------------------------------------- */

static struct source *source_new(struct slice topic, uint64_t after)
{
    struct source *s = malloc(sizeof(*s) + topic.len);

    if (s == NULL)
        return NULL;
    memcpy(s->topic, topic.data, topic.len);
    s->history = (struct history){
        .topic = slice_of(s->topic, topic.len),
        .ascending = true,
        .after = after,
    };
    return s;
}

static void find_latest(struct merge *m)
{
    m->latest = 0;
    for (size_t i = 1; i < m->count; i++)
        if (m->sources[i]->id > m->sources[m->latest]->id)
            m->latest = i;
}

/* Keeps the MERGE_SOURCES sources with the least ids. Searching for the latest again
 * each time takes 0.5 µs, less than it took to find the thing. */
static void add_source(struct merge *m, struct source *s)
{
    if (m->count < MERGE_SOURCES) {
        m->sources[m->count++] = s;
        if (m->count == MERGE_SOURCES)
            find_latest(m);
        return;
    }
    m->full = true;
    if (s->id < m->sources[m->latest]->id) {
        struct source *latest = m->sources[m->latest];
        m->sources[m->latest] = s;
        s = latest;
        find_latest(m);
    }
    if (s->id <= m->end)
        m->end = s->id - 1;
    free(s);
}

enum store_err merge_offer(struct merge *m, struct store_reader *r,
                           struct slice topic)
{
    struct source *s = source_new(topic, m->after);

    if (s == NULL)
        return STORE_NOMEM;
    const enum store_err err = history_peek(r, &s->history, &s->id);
    if (err == STORE_OK && s->id <= m->end) {
        add_source(m, s);
        return STORE_OK;
    }
    free(s);
    return err == STORE_NOTFOUND ? STORE_OK : err;
}

/* ---- running ----------------------------------------------------------- */

static void sift_down(struct merge *m, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < m->count &&
                m->sources[child]->id < m->sources[least]->id)
                least = child;
        if (least == at)
            return;
        struct source *s = m->sources[at];
        m->sources[at] = m->sources[least];
        m->sources[least] = s;
        at = least;
    }
}

void merge_run(struct merge *m)
{
    for (size_t i = m->count / 2; i-- > 0;)
        sift_down(m, i);
}

static void drop_first(struct merge *m)
{
    free(m->sources[0]);
    m->sources[0] = m->sources[--m->count];
}

/* Moves the first source past its current message; a source without further messages
 * in this round is removed. */
static enum store_err advance_first(struct merge *m, struct store_reader *r)
{
    struct source *s = m->sources[0];
    uint64_t id;

    /* In a new snapshot the walk may be before s->id again or, when that id has
     * been trimmed since, after it. */
    enum store_err err = history_peek(r, &s->history, &id);
    while (err == STORE_OK && id <= s->id) {
        history_take(&s->history);
        err = history_peek(r, &s->history, &id);
    }
    if (err != STORE_OK && err != STORE_NOTFOUND)
        return err;
    if (err == STORE_OK && id <= m->end)
        s->id = id;
    else
        drop_first(m);
    sift_down(m, 0);
    return STORE_OK;
}

enum store_err merge_next(struct merge *m, struct store_reader *r,
                          uint64_t upto, struct record *ret_record)
{
    struct record record;

    if (m->count == 0 || m->sources[0]->id > m->end ||
        m->sources[0]->id > upto)
        return STORE_NOTFOUND;
    const enum store_err found = store_get(r, m->sources[0]->id, &record);
    if (found != STORE_OK && found != STORE_NOTFOUND && found != STORE_CORRUPT)
        return found;
    const enum store_err err = advance_first(m, r);
    if (err != STORE_OK)
        return err;
    if (found != STORE_OK) /* removed, or damaged */
        return STORE_INVALID;
    *ret_record = record;
    return STORE_OK;
}
