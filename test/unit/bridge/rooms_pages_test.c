#include "bridge/web/rooms_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/web/pages.h"

static const struct rooms_page *page(const char *path)
{
    const struct rooms_page *p = rooms_page_find(slice_str(path));

    if (p == NULL)
        fail_msg("no %s", path);
    return p;
}

static void a_path_finds_its_file_and_nothing_else(void **state)
{
    (void)state;
    assert_ptr_equal(page("embed.html")->bytes, rooms_embed_html);
    assert_int_equal(*page("embed.html")->len, rooms_embed_html_len);
    assert_memory_equal(page("embed.html")->bytes, "<!doctype html>", 15);
    assert_string_equal(page("embed.html")->type, "text/html; charset=utf-8");
    assert_string_equal(page("assets/embed.css")->type,
                        "text/css; charset=utf-8");
    assert_ptr_equal(page("assets/socket.js")->bytes, rooms_socket_js);
    assert_null(rooms_page_find(slice_str("")));
    assert_null(rooms_page_find(slice_str("/embed.html")));
    assert_null(rooms_page_find(slice_str("embed.htm")));
    assert_null(rooms_page_find(slice_str("assets/../embed.html")));
    assert_null(rooms_page_find(slice_str("assets/")));
}

/* Each src="…", href="…" of a page, and each import of a script, is a file here. */
static void everything_a_page_loads_is_here(void **state)
{
    static const char *const documents[] = {"embed.html", "playground.html"};
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        const struct rooms_page *p = page(documents[i]);
        const char *at = (const char *)p->bytes, *end = at + *p->len;
        size_t count = 0;
        while ((at = memmem(at, (size_t)(end - at), "\"assets/", 8)) != NULL) {
            const char *stop = memchr(at + 1, '"', (size_t)(end - at - 1));
            assert_non_null(stop);
            assert_non_null(
                rooms_page_find(slice_of(at + 1, (size_t)(stop - at - 1))));
            at = stop;
            count++;
        }
        assert_int_equal(count, 2); /* a style sheet and a script */
    }
}

static void tags_differ_where_bytes_do_and_are_recognized_in_lists(
    void **state)
{
    char tag[ROOMS_PAGE_TAG_SIZE], other[ROOMS_PAGE_TAG_SIZE], list[80];
    (void)state;

    rooms_page_tag(page("embed.html"), tag);
    rooms_page_tag(page("playground.html"), other);
    assert_int_equal(strlen(tag), ROOMS_PAGE_TAG_SIZE - 1);
    assert_string_not_equal(tag, other);
    snprintf(list, sizeof(list), "W/%s, %s", other, tag);
    assert_true(rooms_page_is_known(slice_str(list), tag));
    assert_true(rooms_page_is_known(slice_str(list), other));
    assert_true(rooms_page_is_known(slice_str("*"), tag));
    assert_false(rooms_page_is_known(slice_str(other), tag));
    assert_false(rooms_page_is_known(slice_str(""), tag));
}

static void check_policy(const char *path, const char *ancestors,
                         const char *want)
{
    struct buffer b = BUFFER_INIT;

    rooms_page_put_policy(&b, page(path), slice_str(ancestors));
    buffer_put_char(&b, '\0');
    assert_false(b.failed);
    const char *policy = (const char *)b.data;
    if (strstr(policy, want) == NULL || strstr(policy, "unsafe") != NULL)
        fail_msg("%s: %s", path, policy);
    buffer_release(&b);
}

static void who_may_frame_is_set_and_the_playground_never_is(void **state)
{
    (void)state;
    check_policy("embed.html", "*", "; frame-ancestors *");
    check_policy("embed.html", "'self' https://a.example",
                 "; frame-ancestors 'self' https://a.example");
    check_policy("embed.html", "", "; frame-ancestors 'none'");
    check_policy("playground.html", "*", "; frame-ancestors 'none'");
    check_policy("playground.html", "*", "; frame-src 'self'; ");
    check_policy("embed.html", "*", "default-src 'none'; script-src 'self'; ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_finds_its_file_and_nothing_else),
        cmocka_unit_test(everything_a_page_loads_is_here),
        cmocka_unit_test(
            tags_differ_where_bytes_do_and_are_recognized_in_lists),
        cmocka_unit_test(who_may_frame_is_set_and_the_playground_never_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
