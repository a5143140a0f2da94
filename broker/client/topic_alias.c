#include "broker/client/topic_alias.h"

#include <stdlib.h>
#include <string.h>

struct topic_aliases {
    uint16_t
        count; /* aliases 1…count are set, or were skipped by the client */
    int64_t bytes;
    struct {
        char *data; /* NULL: not set */
        size_t len;
        uint8_t mark;
    } topics[TOPIC_ALIAS_MAX];
};

void topic_aliases_free(struct topic_aliases *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < TOPIC_ALIAS_MAX; i++)
        free(t->topics[i].data);
    free(t);
}

static bool make_table(struct topic_aliases **t)
{
    if (*t == NULL)
        *t = calloc(1, sizeof(**t));
    return *t != NULL;
}

bool topic_alias_mark(struct topic_aliases **t, uint16_t alias, uint8_t mark,
                      int64_t *ret_less)
{
    if (!make_table(t))
        return false;
    *ret_less = -(int64_t)(*t)->topics[alias - 1].len;
    (*t)->bytes += *ret_less;
    free((*t)->topics[alias - 1].data);
    (*t)->topics[alias - 1].data = NULL;
    (*t)->topics[alias - 1].len = 0;
    (*t)->topics[alias - 1].mark = mark;
    return true;
}

uint8_t topic_alias_marked(const struct topic_aliases *t, uint16_t alias)
{
    return t == NULL || alias == 0 || alias > TOPIC_ALIAS_MAX
               ? 0
               : t->topics[alias - 1].mark;
}

bool topic_alias_set(struct topic_aliases **t, uint16_t alias,
                     struct slice topic, int64_t *ret_more)
{
    char *data = malloc(topic.len);

    if (data == NULL || !make_table(t)) {
        free(data);
        return false;
    }
    memcpy(data, topic.data, topic.len);
    *ret_more = (int64_t)topic.len - (int64_t)(*t)->topics[alias - 1].len;
    free((*t)->topics[alias - 1].data);
    (*t)->topics[alias - 1].data = data;
    (*t)->topics[alias - 1].len = topic.len;
    (*t)->topics[alias - 1].mark = 0;
    (*t)->bytes += *ret_more;
    if (alias > (*t)->count)
        (*t)->count = alias;
    return true;
}

struct slice topic_alias_get(const struct topic_aliases *t, uint16_t alias)
{
    if (t == NULL || alias == 0 || alias > TOPIC_ALIAS_MAX)
        return slice_of(NULL, 0);
    return slice_of(t->topics[alias - 1].data, t->topics[alias - 1].len);
}

int64_t topic_aliases_bytes(const struct topic_aliases *t)
{
    return t == NULL ? 0 : t->bytes;
}

uint16_t topic_alias_find(const struct topic_aliases *t, struct slice topic)
{
    for (uint16_t i = 0; t != NULL && i < t->count; i++)
        if (t->topics[i].len == topic.len &&
            memcmp(t->topics[i].data, topic.data, topic.len) == 0)
            return (uint16_t)(i + 1);
    return 0;
}

uint16_t topic_alias_offer(const struct topic_aliases *t, struct slice topic,
                           uint16_t max)
{
    const uint16_t count = t == NULL ? 0 : t->count;

    if (count >= max || count >= TOPIC_ALIAS_MAX ||
        topic.len < TOPIC_ALIAS_OUT_MIN || topic.len > TOPIC_ALIAS_OUT_LEN)
        return 0;
    return (uint16_t)(count + 1);
}
