#include "base/json_indent.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void put_line(struct buffer *out, size_t depth)
{
    buffer_put_char(out, '\n');
    for (size_t i = 0; i < depth; i++)
        buffer_put(out, "  ", 2);
}

/* at: the opening quote. Returns the position behind the closing one. */
static size_t put_string(struct buffer *out, struct slice json, size_t at)
{
    const char *p = json.data;
    size_t end = at + 1;

    while (end < json.len && p[end] != '"')
        end += p[end] == '\\' ? 2 : 1;
    end = end < json.len ? end + 1 : json.len;
    buffer_put(out, p + at, end - at);
    return end;
}

static size_t skip_space(struct slice json, size_t at)
{
    const char *p = json.data;

    while (at < json.len && is_space(p[at]))
        at++;
    return at;
}

void json_indent(struct buffer *out, struct slice json)
{
    const char *p = json.data;
    size_t depth = 0, at = 0;

    while (at < json.len) {
        const char c = p[at];
        if (c == '"') {
            at = put_string(out, json, at);
            continue;
        }
        at++;
        if (is_space(c))
            continue;
        if (c == '}' || c == ']')
            put_line(out, depth > 0 ? --depth : 0);
        buffer_put_char(out, c);
        if (c == ':') {
            buffer_put_char(out, ' ');
        } else if (c == ',') {
            put_line(out, depth);
        } else if (c == '{' || c == '[') {
            at = skip_space(json, at);
            if (at < json.len && (p[at] == '}' || p[at] == ']'))
                buffer_put_char(out, p[at++]);
            else
                put_line(out, ++depth);
        }
    }
}
