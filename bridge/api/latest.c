/* GET /{token}/chat/{thing}/latest */
#include <stdio.h>
#include <string.h>

#include "bridge/accept.h"
#include "bridge/api/doors.h"
#include "bridge/api/message_json.h"
#include "bridge/api/reading.h"
#include "bridge/msgpack_json.h"

/* If-None-Match against `"<id>"` (RFC 9110 §13.1.2): a list, weak or not, with
 * or without quotes, or `*`. */
static bool is_known(struct call *c, const char *id)
{
    struct slice header;
    const size_t len = strlen(id);

    if (!http_header(c->q, "If-None-Match", &header))
        return false;
    const char *p = header.data, *end = p + header.len;
    while (p < end) {
        while (p < end && strchr(" \t,", *p) != NULL)
            p++;
        if (end - p >= 2 && p[0] == 'W' && p[1] == '/')
            p += 2;
        if (p < end && *p == '"')
            p++;
        const char *from = p;
        while (p < end && strchr("\" \t,", *p) == NULL)
            p++;
        const size_t n = (size_t)(p - from);
        if ((n == 1 && *from == '*') || (n == len && memcmp(from, id, n) == 0))
            return true;
        while (p < end && *p != ',')
            p++;
    }
    return false;
}

enum http_next chat_latest(struct call *c)
{
    static const char *const types[] = {"application/json",
                                        "application/msgpack"};
    struct buffer body = BUFFER_INIT, packed = BUFFER_INIT;
    char id[24], etag[32];
    struct reading g;
    struct record record;
    struct slice accept = {0};

    if (!reading_begin(c, &g, true, 1))
        return HTTP_ANSWERED;
    const enum store_err err =
        store_latest(g.reader, slice_of(g.topic, g.topic_len), &record);
    if (err != STORE_OK) {
        reading_end(&g);
        if (err != STORE_NOTFOUND)
            return reading_failed(c, err, 1);
        return answer_error(c, 404, "no messages yet");
    }
    put_latest(&body, c->arguments[0], c->arguments[1], &record.m);
    snprintf(id, sizeof(id), "%llu", (unsigned long long)record.m.id);
    snprintf(etag, sizeof(etag), "\"%s\"", id);
    reading_end(&g);

    http_add_header(c->q, "ETag", etag);
    http_add_header(c->q, "Cache-Control", "no-cache");
    http_add_header(c->q, "Vary", "Accept");
    if (is_known(c, id)) {
        buffer_release(&body);
        return answer(c, 304, NULL, NULL);
    }
    http_header(c->q, "Accept", &accept);
    if (accept_best(accept, types, 2) == 0)
        return answer_json(c, 200, &body);
    json_to_msgpack(buffer_slice(&body), &packed);
    buffer_release(&body);
    return answer(c, 200, types[1], &packed);
}
