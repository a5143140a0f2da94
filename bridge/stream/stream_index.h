/* Which of a streamer's streams get a message.
 *
 * Streams that follow the same set of filters in the same format form one audience: they
 * get the same bytes, which are put together once per turn for all of them. An exact
 * filter is found by its topic, wildcard filters by a tree (base/subscription_index.h).
 * So the cost of a topic depends on its levels and on the shapes of its token's filters,
 * not on the number of filters.
 *
 * Threads: one streamer's. */
#ifndef CONFAB_BRIDGE_STREAM_STREAM_INDEX_H
#define CONFAB_BRIDGE_STREAM_STREAM_INDEX_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/subscription_index.h"
#include "bridge/stream/format/stream_format.h"
#include "bridge/stream/name_table.h"
#include "bridge/stream/stream_output.h"
#include "store/read/catchup.h"

#define STREAM_FILTERS_MAX 64

struct stream;
struct link_subscription;
struct audience;

struct audience_filter {
    struct slice filter;                    /* `<token>/<thing or pattern>` */
    struct link_subscription *subscription; /* the streamer's */
    struct audience *audience;
    struct index_name *name;
    LIST_ENTRY(audience_filter) entry; /* in the name's */
    struct subscription pattern;       /* in `patterns` if it has wildcards */
};

struct audience {
    struct name_node node; /* first: a node is its audience */
    unsigned refs;
    struct index_token *token;
    const struct stream_format *format;
    LIST_ENTRY(audience) in_token;
    uint64_t visit; /* the index's */
    /* The rest is the streamer's. */
    LIST_HEAD(, stream) streams;
    struct link_subscription *events; /* the streamer's; NULL: it takes none */
    unsigned live;                    /* number of live streams */
    struct run *run;                  /* messages of this turn */
    /* in a list while run != NULL, except the one being flushed */
    STAILQ_ENTRY(audience) touched;
    bool has_pattern;
    uint64_t
        trimmed_id; /* greatest id removed by retention, as of `trimmed_at`;
                            with has_pattern: of any thing of the token */
    uint64_t trimmed_at; /* snapshot number */
    /* With has_pattern: walks over the token's things for it, one at a time. */
    struct gap_walk walk;
    uint64_t walk_mark; /* trimmed_id at the walk's begin: if it differs now,
                           more has been removed since */
    bool walk_is_long;  /* it took several turns */
    uint64_t walks_begun, walks_done;
    size_t filter_count;
    struct audience_filter filters[];
};

struct index_token {
    struct name_node node; /* first: a node is its token */
    LIST_HEAD(, audience) audiences;
    char text[];
};

struct stream_index {
    struct name_table audiences;
    struct name_table names;  /* filters that some audience has */
    struct name_table tokens; /* tokens that have an audience */
    struct subscription_index *patterns;
    uint64_t visits;
};

/* The index must not be moved afterwards. false: out of memory; release it all the
 * same. */
bool stream_index_init(struct stream_index *x);
void stream_index_release(struct stream_index *x); /* no audience left */

/* Sorts the filters bytewise and removes duplicates; returns the new count. */
size_t stream_filters_normalize(struct slice *filters, size_t count);

/* The audience of these filters (normalized, valid, all of token `token`,
 * 0…STREAM_FILTERS_MAX) in that format, with one more reference; made when there is none
 * (then refs is 1). Everything is copied. NULL: out of memory, or the token has more
 * shapes than FILTER_SHAPES_MAX, which stream_shapes.h prevents. */
struct audience *stream_index_enter(struct stream_index *x, struct slice token,
                                    const struct slice *filters, size_t count,
                                    const struct stream_format *format);
/* Gives a reference back; the last one frees the audience. */
void stream_index_leave(struct stream_index *x, struct audience *a);

/* Calls `each` once for every audience that gets messages of `topic`. `each` must not
 * enter or leave audiences. */
void stream_index_match(struct stream_index *x, struct slice topic,
                        void (*each)(void *arg, struct audience *a),
                        void *arg);

/* Calls `each` for every audience that has exactly this filter. As above. */
void stream_index_followers(struct stream_index *x, struct slice filter,
                            void (*each)(void *arg, struct audience *a),
                            void *arg);

/* How many nodes the last match visited among the patterns, i.e. its cost. */
size_t stream_index_visited(const struct stream_index *x);

/* NULL: no audience of that token. */
struct index_token *stream_index_token(struct stream_index *x,
                                       struct slice token);

#endif
