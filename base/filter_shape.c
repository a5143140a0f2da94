#include "base/filter_shape.h"

#include <stdlib.h>
#include <string.h>

struct filter_shape {
    LIST_ENTRY(filter_shape) entry;
    struct filter_shapes *of;
    size_t filters;
    uint8_t plus[sizeof(((struct filter_outline *)0)->plus)];
};

void filter_outline(struct slice filter, struct filter_outline *ret)
{
    const char *p = filter.data, *end = p + filter.len;
    const unsigned owner_levels = *p == '$' ? 2 : 1;
    unsigned level = 0;

    *ret = (struct filter_outline){.owner_len = filter.len};
    for (const char *at = p; at < end; at++) {
        if (*at == '/') {
            if (++level == owner_levels)
                ret->owner_len = (size_t)(at - p);
        } else if (*at == '+' && level >= owner_levels) {
            ret->has_plus = true; /* valid, so it is the whole level */
            ret->plus[level / 8] |= (uint8_t)(1U << level % 8);
        }
    }
}

static struct filter_shape *find_shape(const struct filter_shapes *s,
                                       const struct filter_outline *o)
{
    struct filter_shape *shape;

    LIST_FOREACH (shape, &s->list, entry)
        if (memcmp(shape->plus, o->plus, sizeof(shape->plus)) == 0)
            return shape;
    return NULL;
}

bool filter_shapes_take(const struct filter_shapes *s,
                        const struct filter_outline *o)
{
    return !o->has_plus || s == NULL || s->count < FILTER_SHAPES_MAX ||
           find_shape(s, o) != NULL;
}

struct filter_shape *filter_shape_get(struct filter_shapes *s,
                                      const struct filter_outline *o)
{
    struct filter_shape *shape = find_shape(s, o);

    if (shape == NULL) {
        if (s->count == FILTER_SHAPES_MAX)
            return NULL;
        shape = calloc(1, sizeof(*shape));
        if (shape == NULL)
            return NULL;
        memcpy(shape->plus, o->plus, sizeof(shape->plus));
        shape->of = s;
        LIST_INSERT_HEAD(&s->list, shape, entry);
        s->count++;
    }
    shape->filters++;
    return shape;
}

static void forget_shape(struct filter_shape *shape)
{
    LIST_REMOVE(shape, entry);
    shape->of->count--;
    free(shape);
}

void filter_shape_put(struct filter_shape *shape)
{
    if (shape != NULL && --shape->filters == 0)
        forget_shape(shape);
}

void filter_shapes_release(struct filter_shapes *s)
{
    while (!LIST_EMPTY(&s->list))
        forget_shape(LIST_FIRST(&s->list));
}
