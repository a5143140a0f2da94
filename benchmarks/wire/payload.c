#include "benchmarks/wire/payload.h"

#include <string.h>

#include "benchmarks/measure/fatal.h"
#include "benchmarks/measure/instant.h"

/* Where the numbers stand. Each begins with a fixed 1, because JSON forbids
 * leading zeros and the size must not depend on the value. */
#define HEAD "{\"c\":100000,\"n\":1000000000,\"t\":1000000000000000,\"p\":\""
#define TAIL "\"}"
enum {
    SOURCE_AT = 6,
    SOURCE_DIGITS = 5,
    NUMBER_AT = 17,
    NUMBER_DIGITS = 9,
    TIME_AT = 32,
    TIME_DIGITS = 15,
    HEAD_LEN = sizeof(HEAD) - 1,
    TAIL_LEN = sizeof(TAIL) - 1
};

_Static_assert(HEAD_LEN + TAIL_LEN <= PAYLOAD_MIN, "PAYLOAD_MIN is too small");

void payload_format_init(struct payload_format *f, size_t size)
{
    f->size = size;
    f->text = must_alloc(size);
    memset(f->text, 'x', size);
    memcpy(f->text, HEAD, HEAD_LEN);
    memcpy(f->text + size - TAIL_LEN, TAIL, TAIL_LEN);
}

static void write_digits(char *to, unsigned digits, uint64_t value)
{
    while (digits-- > 0) {
        to[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

static bool read_digits(const char *from, unsigned digits, uint64_t *ret_value)
{
    uint64_t value = 0;
    unsigned bad = 0;

    for (unsigned i = 0; i < digits; i++) {
        const unsigned digit = (unsigned)(from[i] - '0');

        bad |= digit > 9;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return bad == 0;
}

const char *payload_write(struct payload_format *f, const struct payload *p)
{
    write_digits(f->text + SOURCE_AT, SOURCE_DIGITS, p->source);
    write_digits(f->text + NUMBER_AT, NUMBER_DIGITS, p->number);
    write_digits(f->text + TIME_AT, TIME_DIGITS,
                 (uint64_t)(p->sent_ns / NS_PER_US));
    return f->text;
}

/* Everything that stands between the numbers. */
static bool same_frame(const struct payload_format *f, const char *text)
{
    static const struct {
        size_t from, to;
    } fixed[] = {
        {0, SOURCE_AT},
        {SOURCE_AT + SOURCE_DIGITS, NUMBER_AT},
        {NUMBER_AT + NUMBER_DIGITS, TIME_AT},
    };
    const size_t rest = TIME_AT + TIME_DIGITS;

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (memcmp(text + fixed[i].from, f->text + fixed[i].from,
                   fixed[i].to - fixed[i].from) != 0)
            return false;
    return memcmp(text + rest, f->text + rest, f->size - rest) == 0;
}

const char *payload_find(const struct payload_format *f, const char *text,
                         size_t len, size_t *at)
{
    const size_t start_len = strlen(PAYLOAD_START);

    if (*at + f->size > len ||
        memcmp(text + *at, PAYLOAD_START, start_len) != 0) {
        const char *found = memmem(text, len, PAYLOAD_START, start_len);

        if (found == NULL || (size_t)(text + len - found) < f->size)
            return NULL;
        *at = (size_t)(found - text);
    }
    return text + *at;
}

bool payload_read(const struct payload_format *f, const char *text,
                  struct payload *ret_p)
{
    uint64_t source, number, sent_us;

    if (!same_frame(f, text) ||
        !read_digits(text + SOURCE_AT, SOURCE_DIGITS, &source) ||
        !read_digits(text + NUMBER_AT, NUMBER_DIGITS, &number) ||
        !read_digits(text + TIME_AT, TIME_DIGITS, &sent_us))
        return false;
    ret_p->source = (unsigned)source;
    ret_p->number = (uint32_t)number;
    ret_p->sent_ns = (int64_t)sent_us * NS_PER_US;
    return true;
}
