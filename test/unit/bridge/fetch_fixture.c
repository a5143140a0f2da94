#include "test/unit/bridge/fetch_fixture.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- fetches ------------------------------------------------------------- */

void watched_init(struct watched *w)
{
    *w = (struct watched){.fetch = NULL};
    sem_init(&w->headers, 0, 0);
    sem_init(&w->data, 0, 0);
    sem_init(&w->end, 0, 0);
}

void watched_release(struct watched *w)
{
    fetch_unref(w->fetch);
    buffer_release(&w->body);
    sem_destroy(&w->headers);
    sem_destroy(&w->data);
    sem_destroy(&w->end);
}

static void copy(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", (int)from.len, (const char *)from.data);
}

void watched_end(void *arg, const struct fetch_result *r)
{
    struct watched *w = arg;

    w->outcome = r->outcome;
    w->status = r->headers.status;
    copy(w->content_type, sizeof(w->content_type), r->headers.content_type);
    copy(w->retry_after, sizeof(w->retry_after), r->headers.retry_after);
    snprintf(w->text, sizeof(w->text), "%s", r->text);
    buffer_put_slice(&w->body, r->body);
    w->body_len = r->body_len;
    w->ends++;
    sem_post(&w->end);
}

void watched_headers(void *arg, struct fetch *f, const struct fetch_headers *h)
{
    struct watched *w = arg;

    (void)f;
    w->early_status = h->status;
    sem_post(&w->headers);
}

enum fetch_flow watched_data(void *arg, struct fetch *f, struct slice data)
{
    struct watched *w = arg;

    (void)f;
    buffer_put_slice(&w->body, data);
    w->pieces++;
    sem_post(&w->data);
    return FETCH_CONTINUE;
}

void wait_sem(sem_t *sem)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    while (sem_timedwait(sem, &until) != 0)
        if (errno != EINTR)
            fail_msg("nothing happened within 20 s");
}

struct fetcher *start_fetcher(const struct fetcher_opts *opts)
{
    struct fetcher_opts o = opts != NULL ? *opts : (struct fetcher_opts){0};
    struct address_policy policy;
    char text[FETCH_TEXT_MAX] = "";

    cidr_list_parse("127.0.0.0/8", &policy.allow);
    if (o.policy == NULL)
        o.policy = &policy;
    struct fetcher *c = fetcher_start(&o, text);
    if (c == NULL)
        fail_msg("%s", text);
    return c;
}

void stop_fetcher(struct fetcher *c)
{
    fetcher_stop(c);
    fetcher_free(c);
}

const char *url_of(uint16_t port, const char *path)
{
    static char url[512];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    return url;
}

/* ---- names --------------------------------------------------------------- */

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char name[64], first[128], then[128];
    unsigned looked_up;
    bool let_go;
} names = {.mutex = PTHREAD_MUTEX_INITIALIZER,
           .changed = PTHREAD_COND_INITIALIZER};

void name_is(const char *name, const char *first, const char *then)
{
    pthread_mutex_lock(&names.mutex);
    snprintf(names.name, sizeof(names.name), "%s", name);
    snprintf(names.first, sizeof(names.first), "%s", first);
    snprintf(names.then, sizeof(names.then), "%s", then);
    names.looked_up = 0;
    names.let_go = false;
    pthread_mutex_unlock(&names.mutex);
}

void names_let_go(void)
{
    pthread_mutex_lock(&names.mutex);
    names.let_go = true;
    pthread_cond_broadcast(&names.changed);
    pthread_mutex_unlock(&names.mutex);
}

/* As the C library makes it: the address in the same allocation. */
static struct addrinfo *make_address(const char *text, uint16_t port)
{
    struct {
        struct addrinfo info;
        struct sockaddr_storage address;
    } *a = calloc(1, sizeof(*a));
    struct sockaddr_in *v4 = (void *)&a->address;
    struct sockaddr_in6 *v6 = (void *)&a->address;
    const bool is_ipv6 = strchr(text, ':') != NULL;

    a->info.ai_family = a->address.ss_family = is_ipv6 ? AF_INET6 : AF_INET;
    a->info.ai_socktype = SOCK_STREAM;
    a->info.ai_protocol = IPPROTO_TCP;
    a->info.ai_addr = (void *)&a->address;
    a->info.ai_addrlen = is_ipv6 ? sizeof(*v6) : sizeof(*v4);
    if (is_ipv6) {
        inet_pton(AF_INET6, text, &v6->sin6_addr);
        v6->sin6_port = htons(port);
    } else {
        inet_pton(AF_INET, text, &v4->sin_addr);
        v4->sin_port = htons(port);
    }
    return &a->info;
}

static struct addrinfo *make_addresses(char *texts, uint16_t port)
{
    struct addrinfo *first = NULL, **next = &first;
    char *rest = NULL;

    for (char *t = strtok_r(texts, " ", &rest); t != NULL;
         t = strtok_r(NULL, " ", &rest)) {
        *next = make_address(t, port);
        next = &(*next)->ai_next;
    }
    return first;
}

static int look_up(const char *service, struct addrinfo **ret)
{
    char texts[128];
    const uint16_t port =
        (uint16_t)(service == NULL ? 0 : strtoul(service, NULL, 10));

    pthread_mutex_lock(&names.mutex);
    snprintf(texts, sizeof(texts), "%s",
             names.looked_up++ == 0 ? names.first : names.then);
    while (strcmp(texts, "wait") == 0 && !names.let_go)
        pthread_cond_wait(&names.changed, &names.mutex);
    pthread_mutex_unlock(&names.mutex);
    *ret = strcmp(texts, "wait") == 0 ? NULL : make_addresses(texts, port);
    return *ret == NULL ? EAI_NONAME : 0;
}

/* Libraries find this one before the C library's. */
int getaddrinfo(const char *node, const char *service,
                const struct addrinfo *hints, struct addrinfo **ret)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);
    const size_t len = node == NULL ? 0 : strlen(node);

    if (len > 5 && strcmp(node + len - 5, ".test") == 0)
        return strcmp(node, names.name) == 0 ? look_up(service, ret)
                                             : EAI_NONAME;
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, ret);
}

/* ---- a dead port --------------------------------------------------------- */

static int dead[4] = {-1, -1, -1, -1};

/* The kernel completes as many connections as the backlog has room for, and answers
 * no SYN after that. */
uint16_t dead_port_open(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    dead[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead[0], (void *)&a, sizeof(a)), 0);
    assert_int_equal(listen(dead[0], 0), 0);
    assert_int_equal(getsockname(dead[0], (void *)&a, &len), 0);
    for (int i = 1; i < 4; i++) {
        dead[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(dead[i], (void *)&a, sizeof(a));
    }
    usleep(20000); /* they are in the backlog */
    return ntohs(a.sin_port);
}

void dead_port_close(void)
{
    for (int i = 0; i < 4; i++)
        close(dead[i]);
}
