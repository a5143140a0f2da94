#include "base/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mosquitto.h>

static void a_token_is_1_to_64_of_its_alphabet(void **state)
{
    char long_one[66];

    (void)state;
    memset(long_one, 'a', sizeof(long_one));
    assert_true(token_valid(slice_str("a")));
    assert_true(token_valid(slice_str("AZaz09_-")));
    assert_true(token_valid(slice_of(long_one, 64)));
    assert_false(token_valid(slice_of(long_one, 65)));
    assert_false(token_valid(slice_str("")));
    assert_false(token_valid(slice_str("a b")));
    assert_false(token_valid(slice_str("a/b")));
    assert_false(token_valid(slice_str("$a")));
    assert_false(token_valid(slice_str("\xc3\xa4")));
    assert_false(token_valid(slice_of("a\0b", 3)));
}

static void a_thing_is_what_mqtt_can_carry_and_people_can_read(void **state)
{
    static const char *const good[] = {
        "a", "kitchen/temp", "a b",  "\xc3\xa4",        "x$",
        ".", "..",           "a/$b", "\xf0\x9f\x98\x80"};
    static const char *const bad[] = {
        "",   "/a",   "a/",   "a//b",     "+",    "a/#",         "a+b",
        "$a", "a\nb", "\x7f", "\xc2\x85", "\xff", "\xed\xa0\x80"};
    char long_one[257];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!thing_valid(slice_str(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (thing_valid(slice_str(bad[i])))
            fail_msg("passed: %s", bad[i]);
    assert_false(thing_valid(slice_of("a\0b", 3)));
    memset(long_one, 'a', sizeof(long_one));
    assert_true(thing_valid(slice_of(long_one, 256)));
    assert_false(thing_valid(slice_of(long_one, 257)));
}

static void a_topic_has_no_wildcard_no_nul_and_at_most_200_levels(void **state)
{
    char deep[2 * TOPIC_LEVELS_MAX + 2];

    (void)state;
    assert_true(topic_valid(slice_str("a/b")));
    assert_true(topic_valid(slice_str("/")));
    assert_true(topic_valid(slice_str("$SYS/x")));
    assert_false(topic_valid(slice_str("")));
    assert_false(topic_valid(slice_str("a/+")));
    assert_false(topic_valid(slice_str("a/#")));
    assert_false(topic_valid(slice_of("a\0b", 3)));
    assert_false(topic_valid(slice_str("\xff")));
    for (size_t i = 0; i < sizeof(deep); i += 2) {
        deep[i] = 'a';
        deep[i + 1] = '/';
    }
    assert_true(topic_valid(slice_of(deep, 2 * TOPIC_LEVELS_MAX - 1)));
    assert_false(topic_valid(slice_of(deep, 2 * TOPIC_LEVELS_MAX + 1)));
}

static void a_filter_has_its_wildcards_where_mqtt_4_7_1_allows(void **state)
{
    static const char *const good[] = {"#",   "+",  "a/#",  "a/+/b",
                                       "+/+", "/+", "a//b", "/"};
    static const char *const bad[] = {"",   "a#",  "a/#/b", "a+",
                                      "+a", "#/a", "##"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (!filter_valid(slice_str(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (filter_valid(slice_str(bad[i])))
            fail_msg("passed: %s", bad[i]);
}

static void a_shared_filter_has_a_group_and_a_filter(void **state)
{
    static const char *const bad[] = {
        "$share/",      "$share/g",    "$share/g/",   "$share//a",
        "$share/+/a",   "$share/g+/a", "$share/#/a",  "$share/g/a#",
        "$share/g/#/a", "$share",      "$shared/g/a", "a/$share/g/a",
        "$share/\xff/a"};
    struct slice group, filter;

    (void)state;
    assert_true(filter_share(slice_str("$share/g/a/+/#"), &group, &filter));
    assert_true(slice_eq(group, slice_str("g")));
    assert_true(slice_eq(filter, slice_str("a/+/#")));
    assert_true(filter_share(slice_str("$share/g//"), &group, &filter));
    assert_true(slice_eq(filter, slice_str("/")));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (filter_share(slice_str(bad[i]), &group, &filter))
            fail_msg("passed: %s", bad[i]);
}

/* Every filter against every topic over a small alphabet, ours against
 * libmosquitto's: any rule we got wrong shows as one differing pair. */
static size_t all_names(char names[][8], const char *alphabet, size_t max_len)
{
    size_t count = 0, first = 0;

    names[count++][0] = '\0';
    for (size_t len = 1; len <= max_len; len++) {
        const size_t end = count;
        for (; first < end; first++)
            for (const char *c = alphabet; *c != '\0'; c++) {
                memcpy(names[count], names[first], 8);
                names[count][len - 1] = *c;
                names[count++][len] = '\0';
            }
    }
    return count;
}

static void matching_agrees_with_libmosquitto_on_all_short_names(void **state)
{
    static char filters[8192][8], topics[8192][8];
    const size_t filter_count = all_names(filters, "ab/+#$", 4);
    const size_t topic_count = all_names(topics, "ab/$", 4);
    size_t pairs = 0;

    (void)state;
    for (size_t f = 0; f < filter_count; f++) {
        if (!filter_valid(slice_str(filters[f])))
            continue;
        for (size_t t = 0; t < topic_count; t++) {
            bool theirs = false;
            if (!topic_valid(slice_str(topics[t])))
                continue;
            assert_int_equal(mosquitto_topic_matches_sub(filters[f], topics[t],
                                                         &theirs),
                             MOSQ_ERR_SUCCESS);
            if (filter_matches(slice_str(filters[f]), slice_str(topics[t])) !=
                theirs)
                fail_msg("filter %s, topic %s: libmosquitto says %d",
                         filters[f], topics[t], theirs);
            pairs++;
        }
    }
    assert_true(pairs > 10000);
}

static void a_topic_splits_into_token_and_thing(void **state)
{
    struct slice token, thing;

    (void)state;
    assert_true(topic_split(slice_str("t/a/b"), &token, &thing));
    assert_true(slice_eq(token, slice_str("t")));
    assert_true(slice_eq(thing, slice_str("a/b")));
    assert_false(topic_split(slice_str("t"), &token, &thing));
    assert_false(topic_split(slice_str("t/"), &token, &thing));
    assert_false(topic_split(slice_str("/a"), &token, &thing));
    assert_false(topic_split(slice_str("t t/a"), &token, &thing));
    assert_false(topic_split(slice_str("$SYS/a"), &token, &thing));
}

/* What was stored before the rule stays a thing that can be read. */
static void what_may_be_read_is_more_than_what_may_be_published(void **state)
{
    static const char *const old[] = {"a\xef\xbf\xbf", "\xef\xb7\x90",
                                      "a/\xf0\x9f\xbf\xbe/b"};
    (void)state;

    for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
        assert_true(thing_valid(slice_str(old[i])));
        assert_true(topic_valid(slice_str(old[i])));
        assert_true(filter_valid(slice_str(old[i])));
        assert_false(name_publishable(slice_str(old[i])));
    }
    assert_true(topic_valid(slice_str("a\x01")));
    assert_false(name_publishable(slice_str("a\x01")));
    assert_false(name_publishable(slice_str("a\xc2\x80")));
    assert_true(name_publishable(slice_str("k\xc3\xbc"
                                           "che/\xe6\xb8\xa9\xe5\xba\xa6")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_1_to_64_of_its_alphabet),
        cmocka_unit_test(a_thing_is_what_mqtt_can_carry_and_people_can_read),
        cmocka_unit_test(
            a_topic_has_no_wildcard_no_nul_and_at_most_200_levels),
        cmocka_unit_test(a_filter_has_its_wildcards_where_mqtt_4_7_1_allows),
        cmocka_unit_test(a_shared_filter_has_a_group_and_a_filter),
        cmocka_unit_test(matching_agrees_with_libmosquitto_on_all_short_names),
        cmocka_unit_test(a_topic_splits_into_token_and_thing),
        cmocka_unit_test(what_may_be_read_is_more_than_what_may_be_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
