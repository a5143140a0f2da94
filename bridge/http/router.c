/* The tree has a node for each segment that some route has in that place. A request walks
 * it from the first segment on, trying text before the argument and the argument before
 * *, and backtracks where a branch ends. Each node is visited at most once. */
#include "bridge/http/router.h"
#include "base/callers.h"
#include "bridge/counters/bridge_counters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge/http/url.h"

/* One method of a node's path. */
struct leaf {
    const struct route *route;
    struct leaf *next;
};

/* A door that has a node's path. Listed in the order of mounting. */
struct path_owner {
    const struct mount *mount;
    struct leaf *leaves; /* in the order of the door's table */
    unsigned methods;
    struct path_owner *next;
};

struct route_node {
    struct slice text; /* borrowed from the pattern or prefix */
    struct route_node *texts, *next;
    struct route_node *argument, *rest;
    struct path_owner *owners;
};

struct router {
    struct front *front;
    const struct mount *mounts;
    size_t mount_count;
    unsigned *counted_as; /* for each mount: its bridge_count_door() */
    struct route_node *root;
    size_t arguments_max; /* the most that a route has */
    bool has_claims;      /* some door has claims() */
};

/* ---- compiling ----------------------------------------------------------- */

static bool set_error(struct config_error *ret, const char *text)
{
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    return false;
}

static bool no_memory(struct config_error *ret)
{
    return set_error(ret, "routes: out of memory");
}

/* The node at *place, made if there is none. NULL: out of memory. */
static struct route_node *node_at(struct route_node **place)
{
    if (*place == NULL)
        *place = calloc(1, sizeof(**place));
    return *place;
}

static struct route_node *text_below(struct route_node *n, struct slice text)
{
    struct route_node **place = &n->texts;

    while (*place != NULL && !slice_eq((*place)->text, text))
        place = &(*place)->next;
    struct route_node *found = node_at(place);
    if (found != NULL)
        found->text = text;
    return found;
}

static bool is_argument(struct slice segment)
{
    const char *p = segment.data;

    return segment.len >= 2 && p[0] == '{' && p[segment.len - 1] == '}';
}

/* Finds or makes the nodes of a prefix or pattern. NULL: out of memory. */
static struct route_node *insert_path(struct route_node *n,
                                      const char *pattern, size_t *arguments)
{
    struct slice path = slice_str(pattern), segment;

    url_next_segment(&path,
                     &segment); /* the empty one before the first slash */
    while (n != NULL && url_next_segment(&path, &segment)) {
        const bool is_rest =
            path.data == NULL && slice_eq(segment, slice_str("*"));
        if (!is_rest && !is_argument(segment)) {
            n = text_below(n, segment);
            continue;
        }
        n = node_at(is_rest ? &n->rest : &n->argument);
        ++*arguments;
    }
    return n;
}

static bool refuse_shared(const struct mount *a, const struct mount *b,
                          const char *path, struct config_error *ret)
{
    snprintf(
        ret->text, sizeof(ret->text),
        "doors %s and %s both have the path %s%s, and neither says which "
        "requests are its own: set door:%s.prefix or door:%s.enabled = no",
        a->door->name, b->door->name, b->prefix, path, b->door->name,
        b->door->name);
    return false;
}

/* Adds the mount to the node's owners, once. NULL: *ret_error says why not. */
static struct path_owner *add_owner(struct route_node *n,
                                    const struct mount *m, const char *pattern,
                                    struct config_error *ret_error)
{
    struct path_owner **place = &n->owners;

    for (; *place != NULL; place = &(*place)->next) {
        struct path_owner *o = *place;
        if (o->mount == m)
            return o;
        if (o->mount->door->claims == NULL && m->door->claims == NULL) {
            refuse_shared(o->mount, m, pattern, ret_error);
            return NULL;
        }
    }
    *place = calloc(1, sizeof(**place));
    if (*place == NULL) {
        no_memory(ret_error);
        return NULL;
    }
    (*place)->mount = m;
    return *place;
}

static bool add_leaf(struct path_owner *o, const struct route *route,
                     struct config_error *ret_error)
{
    struct leaf **place = &o->leaves;

    if ((o->methods & (unsigned)route->method) != 0) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "door %s has two routes for %s %s", o->mount->door->name,
                 http_method_name(route->method), route->pattern);
        return false;
    }
    while (*place != NULL)
        place = &(*place)->next;
    *place = calloc(1, sizeof(**place));
    if (*place == NULL)
        return no_memory(ret_error);
    (*place)->route = route;
    o->methods |= (unsigned)route->method;
    return true;
}

static bool add_route(struct router *r, const struct mount *m,
                      const struct route *route,
                      struct config_error *ret_error)
{
    size_t arguments = 0;
    struct route_node *n = insert_path(r->root, m->prefix, &arguments);

    if (n != NULL)
        n = insert_path(n, route->pattern, &arguments);
    if (n == NULL)
        return no_memory(ret_error);
    if (arguments > r->arguments_max)
        r->arguments_max = arguments;
    struct path_owner *o = add_owner(n, m, route->pattern, ret_error);
    return o != NULL && add_leaf(o, route, ret_error);
}

/* ---- first segments ------------------------------------------------------ */

static bool reserves_segment(const struct mount *m, struct slice segment)
{
    for (const char *const *name = m->door->reserved;
         name != NULL && *name != NULL; name++)
        if (slice_eq(slice_str(*name), segment))
            return true;
    return false;
}

static struct slice first_segment(const char *pattern)
{
    struct slice path = slice_str(pattern), segment;

    url_next_segment(&path, &segment);
    return url_next_segment(&path, &segment) ? segment : slice_str("");
}

static bool check_reserved(const struct mount *m,
                           struct config_error *ret_error)
{
    for (size_t i = 0; i < m->door->route_count; i++) {
        const char *pattern = m->door->routes[i].pattern;
        const struct slice first = first_segment(pattern);
        if ((m->door->routes[i].flags & ROUTE_ALONE) != 0)
            continue;
        if (first.len == 0 || is_argument(first) ||
            slice_eq(first, slice_str("*")) || reserves_segment(m, first))
            continue;
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "door %s: its table of reserved segments lacks the first "
                 "segment of %s",
                 m->door->name, pattern);
        return false;
    }
    return true;
}

static bool check_shared_segments(const struct mount *a, const struct mount *b,
                                  struct config_error *ret_error)
{
    const char *const *name = a->door->reserved;

    if (a->door->claims != NULL || b->door->claims != NULL || name == NULL ||
        strcmp(a->prefix, b->prefix) != 0)
        return true;
    for (; *name != NULL; name++)
        if (reserves_segment(b, slice_str(*name))) {
            snprintf(ret_error->text, sizeof(ret_error->text),
                     "doors %s and %s both reserve paths below %s/%s: set "
                     "door:%s.prefix or door:%s.enabled = no",
                     a->door->name, b->door->name, a->prefix, *name,
                     b->door->name, b->door->name);
            return false;
        }
    return true;
}

static bool is_here(const struct mount *m, const struct route *route)
{
    return (route->flags & ROUTE_ALONE) == 0 || m->is_alone;
}

static bool compile_routes(struct router *r, struct config_error *ret_error)
{
    for (size_t i = 0; i < r->mount_count; i++) {
        const struct mount *m = &r->mounts[i];
        r->has_claims |= m->door->claims != NULL;
        if (!check_reserved(m, ret_error))
            return false;
        for (size_t k = 0; k < i; k++)
            if (!check_shared_segments(&r->mounts[k], m, ret_error))
                return false;
        for (size_t k = 0; k < m->door->route_count; k++)
            if (is_here(m, &m->door->routes[k]) &&
                !add_route(r, m, &m->door->routes[k], ret_error))
                return false;
    }
    return true;
}

struct router *router_new(struct front *front, const struct mount *mounts,
                          size_t count, struct config_error *ret_error)
{
    struct router *r = calloc(1, sizeof(*r));

    if (r == NULL || (r->root = calloc(1, sizeof(*r->root))) == NULL) {
        no_memory(ret_error);
        free(r);
        return NULL;
    }
    r->front = front;
    r->mounts = mounts;
    r->mount_count = count;
    r->counted_as = calloc(count + 1, sizeof(*r->counted_as));
    for (size_t i = 0; i < count && r->counted_as != NULL; i++)
        r->counted_as[i] = bridge_count_door(mounts[i].door->name);
    if (r->counted_as == NULL)
        no_memory(ret_error);
    else if (compile_routes(r, ret_error))
        return r;
    router_free(r);
    return NULL;
}

static void free_node(struct route_node *n)
{
    if (n == NULL)
        return;
    for (struct path_owner *o = n->owners, *next; o != NULL; o = next) {
        next = o->next;
        for (struct leaf *l = o->leaves, *after; l != NULL; l = after) {
            after = l->next;
            free(l);
        }
        free(o);
    }
    for (struct route_node *t = n->texts, *next; t != NULL; t = next) {
        next = t->next;
        free_node(t);
    }
    free_node(n->argument);
    free_node(n->rest);
    free(n);
}

void router_free(struct router *r)
{
    if (r == NULL)
        return;
    free_node(r->root);
    free(r->counted_as);
    free(r);
}

/* ---- matching ------------------------------------------------------------ */

/* How well an owner fits the request; the first of equals is taken. */
enum fit {
    FIT_NONE,
    FIT_UNCLAIMED, /* it has the path but does not claim the request, and no
                      other door wants it */
    FIT_OPEN,      /* it takes what no other door claims */
    FIT_CLAIMED
};

struct search {
    const struct router *router;
    const struct http_request *q;
    struct slice *arguments; /* of the branch being walked */
    size_t argument_count;
    enum fit fit;
    const struct path_owner *found;
    struct slice *found_arguments;
    size_t found_count;
};

static void consider_owners(struct search *s, const struct path_owner *o)
{
    for (; o != NULL; o = o->next) {
        bool (*claims)(const struct http_request *q) = o->mount->door->claims;
        const enum fit fit = claims == NULL ? FIT_OPEN
                             : claims(s->q) ? FIT_CLAIMED
                                            : FIT_UNCLAIMED;
        if (fit <= s->fit)
            continue;
        s->fit = fit;
        s->found = o;
        s->found_count = s->argument_count;
        if (s->argument_count > 0)
            memcpy(s->found_arguments, s->arguments,
                   s->argument_count * sizeof(*s->arguments));
    }
}

/* Whether no better owner can follow. */
static bool is_settled(const struct search *s)
{
    return s->fit == FIT_CLAIMED ||
           (s->fit == FIT_OPEN && !s->router->has_claims);
}

/* `segments`: the rest of the path, decoded; `path`: the same as it was sent. */
static void walk_tree(struct search *s, const struct route_node *n,
                      struct slice segments, struct slice path)
{
    const struct slice left = path;
    struct slice segment, sent;

    if (!http_next_segment(&segments, &segment)) {
        consider_owners(s, n->owners);
        return;
    }
    url_next_segment(&path, &sent);
    for (const struct route_node *t = n->texts; t != NULL; t = t->next)
        if (slice_eq(t->text, segment)) {
            walk_tree(s, t, segments, path);
            break;
        }
    if (n->argument != NULL && !is_settled(s)) {
        s->arguments[s->argument_count++] = segment;
        walk_tree(s, n->argument, segments, path);
        s->argument_count--;
    }
    if (n->rest != NULL && !is_settled(s)) {
        s->arguments[s->argument_count++] = left;
        consider_owners(s, n->rest->owners);
        s->argument_count--;
    }
}

/* `arguments` must have room for twice the router's arguments_max. NULL: no door has
 * the path. */
static const struct path_owner *find_owner(const struct router *r,
                                           const struct http_request *q,
                                           struct slice *arguments,
                                           size_t *ret_count)
{
    struct search s = {.router = r,
                       .q = q,
                       .arguments = arguments + r->arguments_max,
                       .found_arguments = arguments};
    struct slice segments, path = http_path(q), before;

    if (!http_segments(q, &segments) || segments.len == 0)
        return NULL;
    url_next_segment(&path,
                     &before); /* the empty one before the first slash */
    walk_tree(&s, r->root, segments, path);
    *ret_count = s.found_count;
    return s.found;
}

static const struct route *route_for(const struct path_owner *o,
                                     enum http_method method)
{
    const struct route *get = NULL;

    for (const struct leaf *l = o->leaves; l != NULL; l = l->next) {
        if (l->route->method == method)
            return l->route;
        if (l->route->method == HTTP_GET && method == HTTP_HEAD)
            get = l->route;
    }
    return get;
}

/* Whether the path begins with the door's prefix; *segments move past it. */
static bool is_below(const struct mount *m, struct slice *segments)
{
    struct slice prefix = slice_str(m->prefix), wanted, segment;

    url_next_segment(&prefix, &wanted);
    while (url_next_segment(&prefix, &wanted))
        if (!http_next_segment(segments, &segment) ||
            !slice_eq(segment, wanted))
            return false;
    return true;
}

/* The door that answers for a path that no door has: the one with the path's prefix or
 * its first segment, or else the first door. */
static const struct mount *mount_of_stray(const struct router *r,
                                          const struct http_request *q)
{
    for (size_t i = 0; i < r->mount_count; i++) {
        const struct mount *m = &r->mounts[i];
        struct slice segments, first;
        if (!http_segments(q, &segments) || !is_below(m, &segments))
            continue;
        if (m->prefix[0] != '\0' || (http_next_segment(&segments, &first) &&
                                     reserves_segment(m, first)))
            return m;
    }
    return &r->mounts[0];
}

static void settle_route(struct call *c, const struct path_owner *o)
{
    c->mount = o->mount;
    c->methods = o->methods;
    if ((c->methods & HTTP_GET) != 0)
        c->methods |= HTTP_HEAD;
    c->route = route_for(o, http_method(c->q));
    c->flags = c->route != NULL ? c->route->flags : o->leaves->route->flags;
}

/* ---- the server's handler ------------------------------------------------ */

static size_t begin_call(void *arg, struct http_request *q)
{
    const struct router *r = arg;
    struct call *c =
        calloc(1, sizeof(*c) + 2 * r->arguments_max * sizeof(struct slice));

    *http_state(q) = c;
    if (c == NULL)
        return 0;
    c->front = r->front;
    c->q = q;
    c->remaining = UINT64_MAX;
    c->arguments = (struct slice *)(c + 1);
    const struct path_owner *o =
        find_owner(r, q, c->arguments, &c->argument_count);
    if (o != NULL)
        settle_route(c, o);
    else
        c->mount = mount_of_stray(r, q);
    c->state = c->mount->state;
    return c->route != NULL && c->route->body_max != NULL
               ? c->route->body_max(c)
               : 0;
}

static enum http_next no_route(struct call *c)
{
    if (http_method(c->q) == HTTP_OPTIONS)
        return answer_preflight(c);
    if (c->methods != 0)
        return answer_wrong_method(c);
    if (c->mount->door->no_path == NULL)
        return answer_error(c, 404, "no such path");
    c->mount->door->no_path(c);
    return HTTP_ANSWERED;
}

static enum http_next handle_call(void *arg, struct http_request *q)
{
    struct call *c = *http_state(q);
    struct slice segments;

    (void)arg;
    if (c == NULL)
        return HTTP_ANSWERED; /* out of memory: without an answer it is closed */
    if (!http_segments(q, &segments))
        return answer_error(c, 400,
                            "path: each %% needs two hexadecimal "
                            "digits, and %%00 is not allowed");
    if (c->mount->door->authenticate != NULL &&
        !c->mount->door->authenticate(c))
        return HTTP_ANSWERED;
    return c->route == NULL ? no_route(c) : c->route->handle(c);
}

static void end_call(void *arg, struct http_request *q)
{
    const struct router *r = arg;
    struct call *c = *http_state(q);

    if (c == NULL)
        return;
    /* Without a status the socket went to a stream or another protocol, or the client
     * went away before the answer. */
    if (http_status(q) != 0)
        bridge_count_response(r->counted_as[c->mount - r->mounts],
                              http_status(q));
    if (c->release != NULL)
        c->release(c->own);
    else
        free(c->own);
    caller_unref(c->identity);
    free(c);
}

/* Called only when connections are short. */
static bool is_vital(void *arg, const struct http_request *q)
{
    const struct router *r = arg;
    struct slice *arguments =
        calloc(2 * r->arguments_max + 1, sizeof(*arguments));
    size_t count;

    if (arguments == NULL)
        return false;
    const struct path_owner *o = find_owner(r, q, arguments, &count);
    free(arguments);
    return o != NULL && (o->leaves->route->flags & ROUTE_VITAL) != 0;
}

struct http_handler router_handler(struct router *r)
{
    const struct cors *cors = r->mounts[0].door->cors;

    return (struct http_handler){
        .arg = r,
        .common_headers = cors != NULL ? cors->headers : NULL,
        .is_vital = is_vital,
        .begin = begin_call,
        .handle = handle_call,
        .end = end_call,
    };
}
