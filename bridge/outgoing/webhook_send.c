#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bridge/outgoing/webhook_private.h"
#include "store/message_json.h"

#define ANSWER_MAX 65536 /* bytes of a body that nobody reads */
#define ANSWER_HEADERS_MAX 16384

/* The topic without `<tenant>/`. */
static struct slice thing_of(const struct webhook *w, struct slice topic)
{
    const size_t skip = w->tenant.len + 1;

    return slice_of((const char *)topic.data + skip, topic.len - skip);
}

bool webhook_is_delivered(const struct fetch_result *r)
{
    const bool is_answered =
        r->outcome == FETCH_ANSWERED || r->outcome == FETCH_BODY_TOO_LARGE;

    return is_answered && r->headers.status >= 200 && r->headers.status < 300;
}

static void put_signature(struct buffer *b, const struct webhook *w,
                          struct slice body)
{
    buffer_put_str(b, "X-Confab-Signature: ");
    signature_put(b, w->secrets, w->secret_count, clock_real_us() / 1000000,
                  body);
    buffer_put_char(b, '\0');
}

static enum fetch_outcome submit(struct webhook_thing *t, uint64_t id,
                                 void (*on_end)(void *arg,
                                                const struct fetch_result *r),
                                 struct slice body, const char *signature,
                                 char *ret_text)
{
    struct webhook *w = t->webhook;
    char id_line[64];

    snprintf(id_line, sizeof(id_line), "X-Confab-Id: %llu",
             (unsigned long long)id);
    const char *const headers[] = {"Content-Type: application/json",
                                   "X-Confab-Event: message", id_line,
                                   signature};
    const struct fetch_request q = {
        .method = "POST",
        .url = w->url,
        .owner = w->tenant,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body = body,
        .connect_ms = w->set->opts.connect_ms,
        .total_ms = w->set->opts.total_ms,
        .headers_max = ANSWER_HEADERS_MAX,
        .body_max = ANSWER_MAX,
        .arg = t,
        .on_end = on_end,
    };
    return fetcher_submit(w->set->fetcher, &q, &t->fetch, ret_text);
}

bool webhook_send(struct webhook_thing *t, const struct message *m,
                  void (*on_end)(void *arg, const struct fetch_result *r),
                  char *ret_text)
{
    struct buffer body = BUFFER_INIT, signature = BUFFER_INIT;
    struct json_writer json = json_writer_of(&body);
    enum fetch_outcome outcome = FETCH_NO_MEMORY;

    message_put_history(&json, m, thing_of(t->webhook, m->topic),
                        PAYLOAD_AS_SENT);
    put_signature(&signature, t->webhook, buffer_slice(&body));
    if (buffer_ok(&body) && buffer_ok(&signature))
        outcome = submit(t, m->id, on_end, buffer_slice(&body), signature.data,
                         ret_text);
    buffer_release(&body);
    buffer_release(&signature);
    if (outcome != FETCH_INVALID)
        ret_text[0] = '\0';
    return outcome == FETCH_ACCEPTED;
}
