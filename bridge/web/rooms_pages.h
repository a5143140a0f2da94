/* The chat page `/embed.html` and the playground `/playground.html` of the rooms door, with
 * their style sheets and scripts. They are part of the program and load nothing from
 * anywhere else.
 *
 * A door serves them with three routes and one handler:
 *     {"/embed.html", HTTP_GET, 0, NULL, page, NULL},
 *     {"/playground.html", HTTP_GET, 0, NULL, page, NULL},
 *     {"/assets/{file}", HTTP_GET, 0, NULL, page, NULL},
 * where page() returns rooms_page_answer(c, rooms_page_find(path), ancestors). embed.html
 * has parameters in its query, which are for its script: do not check them. URLs in the
 * pages are relative to them, so the door may have a prefix.
 *
 * Any thread; nothing blocks. */
#ifndef CONFAB_BRIDGE_WEB_ROOMS_PAGES_H
#define CONFAB_BRIDGE_WEB_ROOMS_PAGES_H

#include "bridge/http/call.h"

struct rooms_page {
    const char *path; /* after the door's prefix, without the first slash */
    const char *type; /* Content-Type */
    const unsigned char *bytes;
    const size_t *len;
};

/* `path` as in rooms_page, decoded; NULL: there is none. */
const struct rooms_page *rooms_page_find(struct slice path);

/* Writes the entity tag with its quotes (RFC 9110 §8.8.3). It follows from the bytes. */
#define ROOMS_PAGE_TAG_SIZE 19 /* with the NUL */
void rooms_page_tag(const struct rooms_page *page,
                    char ret_tag[ROOMS_PAGE_TAG_SIZE]);

/* Whether the value of If-None-Match lists this tag, or is `*` (RFC 9110 §13.1.2). */
bool rooms_page_is_known(struct slice if_none_match, const char *tag);

/* Appends the Content-Security-Policy. `ancestors` are the sources of frame-ancestors
 * (CSP 3 §6.4.2), separated by blanks, e.g. "*" or "'self' https://a.example"; empty: no
 * page may frame it. The playground can never be framed: it shows tokens. */
void rooms_page_put_policy(struct buffer *out, const struct rooms_page *page,
                           struct slice ancestors);

/* Answers 200 with the page, 304 if the client has it, or 404 if `page` is NULL. */
enum http_next rooms_page_answer(struct call *c, const struct rooms_page *page,
                                 struct slice ancestors);

#endif
