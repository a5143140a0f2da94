#include "benchmarks/wire/nats_message.h"

#include <stdbool.h>

#define CRLF "\r\n"

enum { WORDS_MAX = 6, PAYLOAD_MAX = 1 << 26 };

static bool begins(const char *line, size_t len, const char *word)
{
    const size_t word_len = strlen(word);

    return len >= word_len && memcmp(line, word, word_len) == 0;
}

/* Returns how many words there are; WORDS_MAX + 1: too many. */
static size_t split(const char *line, size_t len, struct nats_text *words)
{
    const char *end = line + len;
    size_t count = 0;

    while (line < end) {
        const char *space = memchr(line, ' ', (size_t)(end - line));

        if (space == NULL)
            space = end;
        if (count == WORDS_MAX)
            return WORDS_MAX + 1;
        words[count++] = (struct nats_text){line, (size_t)(space - line)};
        line = space + 1;
    }
    return count;
}

static bool number(const struct nats_text *word, size_t *ret_value)
{
    size_t value = 0;

    for (size_t i = 0; i < word->len; i++) {
        const unsigned digit = (unsigned)(word->at[i] - '0');

        if (digit > 9 || value > PAYLOAD_MAX)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return word->len > 0;
}

/* MSG subject sid [reply] size, HMSG subject sid [reply] head-size size; then
 * that many bytes and CR LF. */
static int take_msg(const char *data, size_t len, size_t line_len,
                    struct nats_message *ret_m)
{
    const size_t sizes = data[0] == 'H' ? 2 : 1;
    struct nats_text words[WORDS_MAX];
    const size_t count = split(data, line_len, words);
    const bool has_reply = count == 4 + sizes;
    size_t sid, total, head = 0;

    if ((count != 3 + sizes && !has_reply) || count > WORDS_MAX ||
        !number(&words[2], &sid) || !number(&words[count - 1], &total) ||
        (sizes == 2 && !number(&words[count - 2], &head)) || head > total)
        return -1;
    const char *body = data + line_len + 2;

    if ((size_t)(body - data) + total + 2 > len)
        return 0;
    if (memcmp(body + total, CRLF, 2) != 0)
        return -1;
    ret_m->type = NATS_MSG;
    ret_m->subject = words[1];
    ret_m->sid = sid;
    if (has_reply)
        ret_m->reply = words[3];
    ret_m->headers = (struct nats_text){body, head};
    ret_m->payload = (struct nats_text){body + head, total - head};
    ret_m->total = (size_t)(body - data) + total + 2;
    return 1;
}

int nats_message_next(const char *data, size_t len, struct nats_message *ret_m)
{
    const char *newline = memchr(data, '\n', len);

    if (newline == NULL)
        return 0;
    if (newline == data || newline[-1] != '\r')
        return -1;
    const size_t line_len = (size_t)(newline - 1 - data);

    *ret_m = (struct nats_message){.total = line_len + 2};
    if (begins(data, line_len, "MSG ") || begins(data, line_len, "HMSG "))
        return take_msg(data, len, line_len, ret_m);
    if (begins(data, line_len, "PING"))
        ret_m->type = NATS_PING;
    else if (begins(data, line_len, "PONG"))
        ret_m->type = NATS_PONG;
    else if (begins(data, line_len, "+OK"))
        ret_m->type = NATS_OK;
    else if (begins(data, line_len, "INFO "))
        ret_m->type = NATS_INFO;
    else if (begins(data, line_len, "-ERR "))
        ret_m->type = NATS_ERR;
    else
        return -1;
    ret_m->rest = (struct nats_text){data, line_len};
    return 1;
}

void nats_put_connect(struct bytes *to)
{
    bytes_put_str(to, "CONNECT {\"verbose\":false,\"pedantic\":false,"
                      "\"lang\":\"c\",\"version\":\"1\",\"protocol\":1,"
                      "\"headers\":true,\"no_responders\":true}" CRLF);
}

void nats_put_subscribe(struct bytes *to, const char *subject, unsigned sid)
{
    bytes_put_str(to, "SUB ");
    bytes_put_str(to, subject);
    bytes_put_str(to, " ");
    bytes_put_decimal(to, sid);
    bytes_put_str(to, CRLF);
}

void nats_put_publish(struct bytes *to, struct nats_text subject,
                      struct nats_text reply, const char *payload, size_t len)
{
    bytes_put_str(to, "PUB ");
    bytes_put(to, subject.at, subject.len);
    bytes_put_str(to, " ");
    if (reply.len > 0) {
        bytes_put(to, reply.at, reply.len);
        bytes_put_str(to, " ");
    }
    bytes_put_decimal(to, len);
    bytes_put_str(to, CRLF);
    bytes_put(to, payload, len);
    bytes_put_str(to, CRLF);
}
