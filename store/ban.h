/* Bans: who may not send messages to a room, or to any room of a tenant, until when.
 * docs/design/2026-11-30-rooms.md. Commands change them (store/command/ban.h), and
 * message_append obeys them, whichever API a message comes through.
 *
 * Who is banned is a user, or everybody with a user at an address. Devices and others
 * without a user are not.
 *
 * All functions that read need a snapshot. Slices of rows point into the map, and are
 * valid until store_reader_end(). Ids that cannot be any are NOTFOUND. */
#ifndef CONFAB_STORE_BAN_H
#define CONFAB_STORE_BAN_H

#include "store/people.h"

#define BAN_REASON_MAX 1024 /* bytes of UTF-8 */
/* `@`, and a range as address_range() writes it (base/net/address_range.h). */
#define BAN_ADDRESS_MAX 48

struct ban_row {
    struct slice tenant;
    struct slice room; /* empty: all rooms of the tenant */
    struct slice who;  /* a user id, or `@` and a range of addresses */
    int64_t until_us;  /* µs since 1970; 0: it has no end */
    int64_t made_us;   /* when it was made, or changed last */
    struct slice by;   /* the user who did so; empty: an administrator */
    struct slice why;  /* a text for the banned; empty: none */
};

/* Whether it (still) holds: rows stay for some seconds after their end. */
static inline bool ban_holds(const struct ban_row *row, int64_t now_us)
{
    return row->until_us == 0 || row->until_us > now_us;
}

/* Whether `who` can be that of a ban: a user id that does not begin with `@`, or `@` and
 * what address_range() writes. Pure. */
bool ban_who_valid(struct slice who);
/* The `who` for an address ("192.0.2.7", "2001:db8::1"; IPv6 is banned by its /64);
 * returns its length, or 0: it is no address. Pure. */
size_t ban_who_of_address(struct slice address, char out[BAN_ADDRESS_MAX]);

/* `room` may be empty: a ban from all rooms. */
enum store_err store_ban(struct store_reader *r, struct slice tenant,
                         struct slice room, struct slice who,
                         struct ban_row *ret_row);
/* The next ban from that room (empty: from all rooms), those of all others left out,
 * whose `who` is greater than `after` (empty: the first). Addresses come first. */
enum store_err store_ban_next(struct store_reader *r, struct slice tenant,
                              struct slice room, struct slice after,
                              struct ban_row *ret_row);
/* What forbids the user, from that address (empty: unknown), to send messages to the
 * room now: of several bans the one that ends last. NOTFOUND: nothing. */
enum store_err store_ban_of_sender(struct store_reader *r, struct slice tenant,
                                   struct slice room, struct slice user,
                                   struct slice address, int64_t now_us,
                                   struct ban_row *ret_row);

#endif
