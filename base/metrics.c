#include "base/metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct metrics {
    void (*sample)(void *arg, uint64_t *values);
    void *arg;
    struct metric *rows;
    size_t row_count;
    pthread_mutex_t mutex; /* guards the rest */
    const _Atomic uint64_t **blocks;
    size_t block_count;
};

struct metrics *metrics_new(void (*sample)(void *arg, uint64_t *values),
                            void *arg)
{
    struct metrics *m = calloc(1, sizeof(*m));

    if (m != NULL) {
        m->sample = sample;
        m->arg = arg;
        pthread_mutex_init(&m->mutex, NULL);
    }
    return m;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    pthread_mutex_destroy(&m->mutex);
    free(m->rows);
    free(m->blocks);
    free(m);
}

/* ---- filling ------------------------------------------------------------- */

static bool is_name(const char *name)
{
    return name[0] >= 'a' && name[0] <= 'z' &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Prometheus rejects a page where the rows of a name are not adjacent, and
 * JSON must not have a member twice. */
static void check_row(const struct metric *rows, size_t at)
{
    const struct metric *r = &rows[at];
    const struct metric *before = at > 0 ? &rows[at - 1] : NULL;

    assert(r->name == NULL || is_name(r->name));
    for (size_t i = 0; i < METRIC_LABELS; i++)
        assert(r->labels[i].name == NULL || is_name(r->labels[i].name));
    for (size_t i = 0; i < at; i++) {
        if (r->name != NULL && is_same_text(rows[i].name, r->name))
            assert(is_same_text(before->name, r->name) &&
                   rows[i].unit == r->unit && rows[i].type == r->type);
        if (r->member != NULL && r->group != NULL && rows[i].member != NULL &&
            is_same_text(rows[i].group, r->group))
            assert(is_same_text(before->group, r->group));
    }
}

bool metrics_add_rows(struct metrics *m, const struct metric *rows,
                      size_t count, size_t *ret_first)
{
    struct metric *all =
        realloc(m->rows, (m->row_count + count) * sizeof(*all));

    if (all == NULL)
        return false;
    memcpy(all + m->row_count, rows, count * sizeof(*all));
    if (ret_first != NULL)
        *ret_first = m->row_count;
    m->rows = all;
    for (size_t i = 0; i < count; i++)
        check_row(all, m->row_count + i);
    m->row_count += count;
    return true;
}

bool metrics_add_block(struct metrics *m, const _Atomic uint64_t *slots)
{
    pthread_mutex_lock(&m->mutex);
    const _Atomic uint64_t **all =
        realloc(m->blocks, (m->block_count + 1) * sizeof(*all));
    if (all != NULL) {
        m->blocks = all;
        all[m->block_count++] = slots;
    }
    pthread_mutex_unlock(&m->mutex);
    return all != NULL;
}

/* ---- reading ------------------------------------------------------------- */

size_t metrics_row_count(struct metrics *m)
{
    return m->row_count;
}

void metrics_read(struct metrics *m, uint64_t *values)
{
    pthread_mutex_lock(&m->mutex);
    for (size_t i = 0; i < m->row_count; i++) {
        const uint16_t slot = m->rows[i].slot;
        values[i] = slot == METRIC_SAMPLED ? METRIC_ABSENT : 0;
        for (size_t j = 0; slot != METRIC_SAMPLED && j < m->block_count; j++)
            values[i] += counter_read(&m->blocks[j][slot]);
        /* What one thread adds another takes away: it may be seen first. */
        if (m->rows[i].type == METRIC_GAUGE && slot != METRIC_SAMPLED &&
            values[i] > INT64_MAX)
            values[i] = 0;
    }
    pthread_mutex_unlock(&m->mutex);
    if (m->sample != NULL)
        m->sample(m->arg, values);
}

/* The caller owns the result. NULL: out of memory. */
static uint64_t *read_all(struct metrics *m)
{
    uint64_t *values = malloc((m->row_count + 1) * sizeof(*values));

    if (values != NULL)
        metrics_read(m, values);
    return values;
}

/* ---- for Prometheus ------------------------------------------------------ */

/* Escapes for a label's value, and for HELP, which needs no escape for
 * quotes. */
static void put_escaped(struct buffer *b, const char *text, bool is_quoted)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            buffer_put_str(b, "\\n");
            continue;
        }
        if (*text == '\\' || (*text == '"' && is_quoted))
            buffer_put_char(b, '\\');
        buffer_put_char(b, *text);
    }
}

static const char *unit_suffix(enum metric_unit unit)
{
    switch (unit) {
    case METRIC_BYTES: return "_bytes";
    case METRIC_SECONDS:
    case METRIC_MICROSECONDS: return "_seconds";
    case METRIC_TIME: return "_timestamp_seconds";
    case METRIC_NUMBER:
    case METRIC_YES: break;
    }
    return "";
}

static void put_name(struct buffer *b, const struct metric *r)
{
    buffer_put_str(b, "confab_");
    buffer_put_str(b, r->name);
    buffer_put_str(b, unit_suffix(r->unit));
    if (r->type != METRIC_GAUGE)
        buffer_put_str(b, "_total");
}

static void put_head(struct buffer *b, const struct metric *r)
{
    buffer_put_str(b, "# HELP ");
    put_name(b, r);
    buffer_put_char(b, ' ');
    put_escaped(b, r->help, false);
    buffer_put_str(b, "\n# TYPE ");
    put_name(b, r);
    buffer_put_str(b, r->type != METRIC_GAUGE ? " counter\n" : " gauge\n");
}

static void put_labels(struct buffer *b, const struct metric *r)
{
    char before = '{';

    for (size_t i = 0; i < METRIC_LABELS && r->labels[i].name != NULL; i++) {
        buffer_put_char(b, before);
        before = ',';
        buffer_put_str(b, r->labels[i].name);
        buffer_put_str(b, "=\"");
        put_escaped(b, r->labels[i].value, true);
        buffer_put_char(b, '"');
    }
    if (before == ',')
        buffer_put_char(b, '}');
}

static void put_value(struct buffer *b, enum metric_unit unit, uint64_t v)
{
    const bool is_micro = unit == METRIC_MICROSECONDS || unit == METRIC_TIME;

    buffer_put_u64(b, is_micro ? v / 1000000 : v);
    if (is_micro)
        buffer_printf(b, ".%06u", (unsigned)(v % 1000000));
}

static bool is_shown(const struct metric *r, uint64_t v)
{
    if (r->name == NULL || v == METRIC_ABSENT)
        return false;
    return v != 0 || (r->unit != METRIC_TIME && r->type != METRIC_RARE);
}

void metrics_put_text(struct metrics *m, struct buffer *out)
{
    uint64_t *values = read_all(m);
    const char *family = NULL;

    out->failed |= values == NULL;
    for (size_t i = 0; values != NULL && i < m->row_count; i++) {
        const struct metric *r = &m->rows[i];
        if (!is_shown(r, values[i]))
            continue;
        if (!is_same_text(family, r->name))
            put_head(out, r);
        family = r->name;
        put_name(out, r);
        put_labels(out, r);
        buffer_put_char(out, ' ');
        put_value(out, r->unit, values[i]);
        buffer_put_char(out, '\n');
    }
    free(values);
}

/* ---- for confab status --------------------------------------------------- */

static void put_name_json(struct json_writer *w, const char *name)
{
    json_name_literal(w, name, strlen(name)); /* from our own tables */
}

static void put_value_json(struct json_writer *w, enum metric_unit unit,
                           uint64_t v)
{
    if (unit == METRIC_YES)
        json_bool(w, v != 0);
    else if (unit == METRIC_TIME && v == 0)
        json_null(w);
    else if (unit == METRIC_TIME)
        json_time(w, (int64_t)v);
    else
        json_u64(w, v);
}

void metrics_put_json(struct metrics *m, struct json_writer *w)
{
    uint64_t *values = read_all(m);
    const char *group = NULL;

    w->out->failed |= values == NULL;
    for (size_t i = 0; values != NULL && i < m->row_count; i++) {
        const struct metric *r = &m->rows[i];
        if (r->member == NULL || values[i] == METRIC_ABSENT)
            continue;
        if (!is_same_text(group, r->group)) {
            if (group != NULL)
                json_object_end(w);
            group = r->group;
            if (group != NULL) {
                put_name_json(w, group);
                json_object(w);
            }
        }
        put_name_json(w, r->member);
        put_value_json(w, r->unit, values[i]);
    }
    if (group != NULL)
        json_object_end(w);
    free(values);
}
