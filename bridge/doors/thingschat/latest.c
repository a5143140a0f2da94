/* GET /{token}/chat/{thing}/latest */
#include <stdio.h>
#include <string.h>

#include "bridge/doors/thingschat/msgpack_json.h"
#include "bridge/doors/thingschat/reading.h"
#include "bridge/doors/thingschat/thingschat.h"
#include "bridge/http/accept.h"
#include "store/message_json.h"

/* Compares If-None-Match with `"<tag>"` (RFC 9110 §13.1.2). It may be `*` or a list,
 * of weak or strong tags, with or without quotes. */
static bool is_known(struct call *c, const char *tag)
{
    struct slice header;
    const size_t len = strlen(tag);

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
        if ((n == 1 && *from == '*') ||
            (n == len && memcmp(from, tag, n) == 0))
            return true;
        while (p < end && *p != ',')
            p++;
    }
    return false;
}

/* Each representation has a validator of its own (RFC 9110 §8.8.3.3); the ETag of JSON
 * is the id alone. */
static const char *const types[] = {"application/json", "application/msgpack",
                                    "application/vnd.msgpack",
                                    "application/x-msgpack"};
static const char *const etag_suffixes[] = {"", "-msgpack", "-vnd.msgpack",
                                            "-x-msgpack"};

/* Index into types[]; -1: answered with 400. */
static int choose_type(struct call *c)
{
    static const char *const words[] = {"json", "msgpack"};
    struct slice accept = {0};
    size_t word;
    const int there = query_word(c, "format", words, 2, &word);

    if (there != 0)
        return there < 0 ? -1 : (int)word;
    http_header(c->q, "Accept", &accept);
    http_add_header(c->q, "Vary", "Accept");
    return (int)accept_best(accept, types, 4);
}

enum http_next chat_latest(struct call *c)
{
    struct buffer body = BUFFER_INIT, packed = BUFFER_INIT;
    char tag[48], etag[56];
    struct reading g;
    struct record record;

    if (!reading_begin(c, &g, true))
        return HTTP_ANSWERED;
    const int type = choose_type(c);
    if (type < 0 || !reading_charge(c, &g, 1)) {
        reading_end(&g);
        return HTTP_ANSWERED;
    }
    const enum store_err err =
        store_latest(g.reader, slice_of(g.topic, g.topic_len), &record);
    if (err != STORE_OK) {
        reading_end(&g);
        if (err != STORE_NOTFOUND)
            return reading_failed(c, err, 1);
        return answer_error(c, 404, "no messages yet");
    }
    struct json_writer w = json_writer_of(&body);
    message_put_latest(&w, &record.m, c->arguments[0], c->arguments[1]);
    /* What was edited has the number of its last edit instead: no other does. */
    snprintf(tag, sizeof(tag), "%llu%s",
             (unsigned long long)(record.m.change_id != 0 ? record.m.change_id
                                                          : record.m.id),
             etag_suffixes[type]);
    snprintf(etag, sizeof(etag), "\"%s\"", tag);
    reading_end(&g);

    http_add_header(c->q, "ETag", etag);
    /* caches may keep it, but must revalidate it: RFC 9111 §5.2.2.4 */
    http_add_header(c->q, "Cache-Control", "no-cache");
    /* A 304 may state the length of the body that it leaves out, and no other length
     * (RFC 9110 §8.6). */
    const unsigned status = is_known(c, tag) ? 304 : 200;
    if (type == 0)
        return answer(c, status, status == 200 ? types[0] : NULL, &body);
    json_to_msgpack(buffer_slice(&body), &packed);
    buffer_release(&body);
    return answer(c, status, status == 200 ? types[type] : NULL, &packed);
}
