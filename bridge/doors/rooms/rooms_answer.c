#include "base/json_indent.h"
#include "base/json_write.h"
#include "bridge/doors/rooms/rooms_state.h"

#define JSON_TYPE "application/json; charset=utf-8"

static enum http_next answer_indented(struct call *c, unsigned status,
                                      struct buffer *json)
{
    struct buffer text = BUFFER_INIT;

    json_indent(&text, buffer_slice(json));
    text.failed |= json->failed;
    buffer_release(json);
    http_add_header(c->q, "Cache-Control", "no-store");
    return answer(c, status, JSON_TYPE, &text);
}

enum http_next rooms_answer(struct call *c, struct buffer *json)
{
    return answer_indented(c, 200, json);
}

void rooms_error(struct call *c, unsigned status, const char *text)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    json_object(&w);
    json_member_text(&w, "error", text);
    json_object_end(&w);
    answer_indented(c, status, &body);
}

enum http_next rooms_answer_success(struct call *c)
{
    struct buffer body = BUFFER_INIT;
    struct json_writer w = json_writer_of(&body);

    json_object(&w);
    json_member_bool(&w, "success", true);
    json_object_end(&w);
    return rooms_answer(c, &body);
}

enum http_next rooms_answer_unreadable(struct call *c)
{
    http_add_header(c->q, "Retry-After", "1");
    return answer_error(c, 503, "the store cannot be read: retry later");
}

#define SHOWN_MAX 128 /* bytes of a path or id that an error repeats */

static int shown(struct slice s)
{
    return s.len < SHOWN_MAX ? (int)s.len : SHOWN_MAX;
}

enum http_next rooms_answer_no_room(struct call *c, struct slice uid)
{
    return answer_error(c, 404, "Room %.*s not found!", shown(uid),
                        (const char *)uid.data);
}

enum http_next rooms_answer_no_user(struct call *c, struct slice uid)
{
    return answer_error(c, 404, "User: %.*s not found!", shown(uid),
                        (const char *)uid.data);
}

enum http_next rooms_answer_unauthorized(struct call *c, const char *text)
{
    http_add_header(c->q, "WWW-Authenticate", "Bearer realm=\"rooms\"");
    return answer_error(c, 401, "%s", text);
}

enum http_next rooms_answer_too_often(struct call *c, uint32_t retry_s,
                                      const char *text)
{
    http_add_header_u64(c->q, "Retry-After", retry_s > 0 ? retry_s : 1);
    return answer_error(c, 429, "%s", text);
}

void rooms_no_path(struct call *c)
{
    const struct slice path = http_path(c->q);

    answer_error(c, 404, "Endpoint %.*s not found", shown(path),
                 (const char *)path.data);
}

size_t rooms_body_max(struct call *c)
{
    (void)c;
    return ROOMS_BODY_MAX;
}
