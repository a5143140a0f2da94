#include "benchmarks/floor/topic.h"

#include <pthread.h>

#include "benchmarks/measure/fatal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct topic *all;

static struct topic *add(const char *name, size_t len)
{
    struct topic *t = must_zalloc(1, sizeof(*t));

    t->name = must_alloc(len + 1);
    memcpy(t->name, name, len);
    t->name[len] = '\0';
    t->len = len;
    t->number = HASH_COUNT(all);
    HASH_ADD_KEYPTR(hh, all, t->name, t->len, t);
    return t;
}

struct topic *topic_of(const char *name, size_t len)
{
    struct topic *t;

    pthread_mutex_lock(&lock);
    HASH_FIND(hh, all, name, len, t);
    if (t == NULL)
        t = add(name, len);
    pthread_mutex_unlock(&lock);
    return t;
}

struct topic *topic_of_path(const char *path, size_t len, const char *suffix)
{
    static const char chat[] = "/chat/";
    const size_t chat_len = sizeof(chat) - 1;
    const size_t suffix_len = strlen(suffix);
    char name[512];

    if (len < 1 + suffix_len || path[0] != '/' ||
        memcmp(path + len - suffix_len, suffix, suffix_len) != 0)
        return NULL;
    const char *token = path + 1;
    const size_t rest = len - 1 - suffix_len;
    const char *at = memmem(token, rest, chat, chat_len);

    if (at == NULL || rest > sizeof(name))
        return NULL;
    const size_t token_len = (size_t)(at - token);
    const size_t thing_len = rest - token_len - chat_len;

    memcpy(name, token, token_len);
    name[token_len] = '/';
    memcpy(name + token_len + 1, at + chat_len, thing_len);
    return topic_of(name, token_len + 1 + thing_len);
}
