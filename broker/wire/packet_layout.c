#include "broker/wire/packet_layout.h"

size_t packet_pairs_size(const struct packet_pair *pairs, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += 1 + wire_string_size(pairs[i].name) +
                wire_string_size(pairs[i].value);
    return size;
}

uint8_t *packet_put_pairs(uint8_t *to, const struct packet_pair *pairs,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to = wire_put_u8(to, PROPERTY_USER);
        to = wire_put_string(to, pairs[i].name);
        to = wire_put_string(to, pairs[i].value);
    }
    return to;
}

uint8_t *packet_put_detail(uint8_t *to, const struct packet_detail *d)
{
    to = wire_put_optional(to, PROPERTY_REASON_STRING, d->reason_string);
    return packet_put_pairs(to, d->user, d->user_count);
}

static size_t lay_out_body(struct packet_layout *l,
                           const struct packet_form *form)
{
    l->properties = form->properties +
                    wire_optional_size(l->detail.reason_string) +
                    packet_pairs_size(l->detail.user, l->detail.user_count);
    if (l->properties == 0 && form->may_end)
        l->body = form->ending;
    else
        l->body =
            form->fixed + wire_varint_size(l->properties) + l->properties;
    return packet_frame_size(l->body);
}

size_t packet_limit(const struct packet_terms *terms, size_t cap)
{
    size_t limit = cap < PACKET_SIZE_MAX ? cap : PACKET_SIZE_MAX;

    if (limit > terms->maximum_packet_size)
        limit = terms->maximum_packet_size;
    return limit;
}

bool packet_lay_out(const struct packet_terms *terms,
                    const struct packet_form *form,
                    const struct packet_detail *detail, size_t cap,
                    struct packet_layout *ret_layout)
{
    static const struct packet_detail none;
    const size_t limit = packet_limit(terms, cap);
    const struct packet_detail all = detail ? *detail : none;
    const struct packet_detail attempts[] = {
        all,
        {.user = all.user, .user_count = all.user_count},
        {.reason_string = all.reason_string},
        none,
    };

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        ret_layout->detail = attempts[i];
        if (lay_out_body(ret_layout, form) <= limit)
            return true;
    }
    return false;
}

const struct packet_detail *packet_wanted(const struct packet_terms *terms,
                                          const struct packet_detail *detail)
{
    return terms->problem_information ? detail : NULL;
}

uint8_t *packet_put_header(uint8_t *to, enum packet_type type, size_t body)
{
    const unsigned flags = type == PACKET_PUBREL ? 0x02 : 0x00;

    return wire_put_varint(wire_put_u8(to, (unsigned)type << 4 | flags), body);
}
