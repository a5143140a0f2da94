#include "bridge/web/rooms_pages.h"

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bridge/web/pages.h"

static const struct rooms_page pages[] = {
#define X(path, file, type) {path, type, rooms_##file, &rooms_##file##_len},
    ROOMS_PAGES(X)
#undef X
};

const struct rooms_page *rooms_page_find(struct slice path)
{
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        if (slice_eq(path, slice_str(pages[i].path)))
            return &pages[i];
    return NULL;
}

void rooms_page_tag(const struct rooms_page *page,
                    char ret_tag[ROOMS_PAGE_TAG_SIZE])
{
    const unsigned long long hash = XXH3_64bits(page->bytes, *page->len);

    snprintf(ret_tag, ROOMS_PAGE_TAG_SIZE, "\"%016llx\"", hash);
}

bool rooms_page_is_known(struct slice if_none_match, const char *tag)
{
    if (slice_eq(if_none_match, slice_str("*")))
        return true;
    /* The tag is quoted and of fixed length, so it is no part of another one. */
    return if_none_match.len > 0 &&
           memmem(if_none_match.data, if_none_match.len, tag, strlen(tag)) !=
               NULL;
}

void rooms_page_put_policy(struct buffer *out, const struct rooms_page *page,
                           struct slice ancestors)
{
    const bool is_playground = strcmp(page->path, "playground.html") == 0;

    /* Trusted Types: no script of these pages can make markup of text. */
    buffer_put_str(
        out, "default-src 'none'; script-src 'self'; style-src 'self'; "
             "connect-src 'self'; img-src 'self' data:; "
             "base-uri 'none'; form-action 'none'; "
             "require-trusted-types-for 'script'; trusted-types 'none'; ");
    if (is_playground)
        buffer_put_str(out, "frame-src 'self'; ");
    buffer_put_str(out, "frame-ancestors ");
    if (is_playground || ancestors.len == 0)
        buffer_put_str(out, "'none'");
    else
        buffer_put(out, ancestors.data, ancestors.len);
}

static void add_policy(struct call *c, const struct rooms_page *page,
                       struct slice ancestors)
{
    struct buffer policy = BUFFER_INIT;

    rooms_page_put_policy(&policy, page, ancestors);
    buffer_put_char(&policy, '\0');
    /* Without memory there is no policy: then nothing may run or be framed. */
    http_add_header(c->q, "Content-Security-Policy",
                    policy.failed ? "sandbox; frame-ancestors 'none'"
                                  : (const char *)policy.data);
    buffer_release(&policy);
}

enum http_next rooms_page_answer(struct call *c, const struct rooms_page *page,
                                 struct slice ancestors)
{
    struct buffer body = BUFFER_INIT;
    struct slice known;
    char tag[ROOMS_PAGE_TAG_SIZE];

    if (page == NULL)
        return answer_error(c, 404, "there is no such page");
    rooms_page_tag(page, tag);
    http_add_header(c->q, "ETag", tag);
    http_add_header(c->q, "Cache-Control", "no-cache");
    http_add_header(c->q, "X-Content-Type-Options", "nosniff");
    http_add_header(c->q, "Referrer-Policy", "no-referrer");
    add_policy(c, page, ancestors);
    if (http_header(c->q, "If-None-Match", &known) &&
        rooms_page_is_known(known, tag))
        return answer(c, 304, NULL, NULL);
    buffer_put(&body, page->bytes, *page->len);
    return answer(c, 200, page->type, &body);
}
