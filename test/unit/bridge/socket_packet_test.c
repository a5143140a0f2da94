#include "bridge/socketio/socket_packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct socket_packet p;

static enum socket_packet_error error_of(const char *text)
{
    return socket_packet_read(slice_str(text), &p);
}

static void is_text(struct slice s, const char *text)
{
    assert_true(slice_eq(s, slice_str(text)));
}

/* ---- the packets of the official documents -------------------------------- */

struct example {
    const char *text;
    enum socket_packet_type type;
    const char *namespace_name;
    size_t attachments;
    bool has_ack_id;
    uint64_t ack_id;
    const char *json;
};

#define PLACE0 "{\"_placeholder\":true,\"num\":0}"
#define PLACE1 "{\"_placeholder\":true,\"num\":1}"

static const struct example examples[] = {
    {"0", SOCKET_CONNECT, "/", 0, false, 0, ""},
    {"0{\"token\":\"123\"}", SOCKET_CONNECT, "/", 0, false, 0,
     "{\"token\":\"123\"}"},
    {"0/admin,{\"sid\":\"oSO0OpakMV_3jnilAAAA\"}", SOCKET_CONNECT, "/admin", 0,
     false, 0, "{\"sid\":\"oSO0OpakMV_3jnilAAAA\"}"},
    {"0/admin,", SOCKET_CONNECT, "/admin", 0, false, 0, ""},
    {"4{\"message\":\"Not authorized\"}", SOCKET_CONNECT_ERROR, "/", 0, false,
     0, "{\"message\":\"Not authorized\"}"},
    {"2[\"foo\"]", SOCKET_EVENT, "/", 0, false, 0, "[\"foo\"]"},
    {"2/admin,[\"bar\"]", SOCKET_EVENT, "/admin", 0, false, 0, "[\"bar\"]"},
    {"51-[\"baz\"," PLACE0 "]", SOCKET_BINARY_EVENT, "/", 1, false, 0,
     "[\"baz\"," PLACE0 "]"},
    {"52-/admin,[\"baz\"," PLACE0 "," PLACE1 "]", SOCKET_BINARY_EVENT,
     "/admin", 2, false, 0, "[\"baz\"," PLACE0 "," PLACE1 "]"},
    {"212[\"foo\"]", SOCKET_EVENT, "/", 0, true, 12, "[\"foo\"]"},
    {"3/admin,13[\"bar\"]", SOCKET_ACK, "/admin", 0, true, 13, "[\"bar\"]"},
    {"61-15[\"bar\"," PLACE0 "]", SOCKET_BINARY_ACK, "/", 1, true, 15,
     "[\"bar\"," PLACE0 "]"},
    {"1/admin,", SOCKET_DISCONNECT, "/admin", 0, false, 0, ""},
    {"1", SOCKET_DISCONNECT, "/", 0, false, 0, ""},
};

#define EXAMPLES (sizeof(examples) / sizeof(*examples))

static void each_official_packet_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        const struct example *e = &examples[i];
        assert_int_equal(error_of(e->text), SOCKET_PACKET_OK);
        assert_int_equal(p.type, e->type);
        is_text(p.namespace_name, e->namespace_name);
        assert_int_equal(p.attachments, e->attachments);
        assert_int_equal(p.has_ack_id, e->has_ack_id);
        assert_true(p.ack_id == e->ack_id);
        is_text(p.json, e->json);
    }
}

static void each_official_packet_is_written(void **state)
{
    struct buffer out = BUFFER_INIT;

    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        const struct example *e = &examples[i];
        const struct socket_packet packet = {
            .type = e->type,
            .attachments = e->attachments,
            .namespace_name = slice_str(e->namespace_name),
            .has_ack_id = e->has_ack_id,
            .ack_id = e->ack_id,
            .json = slice_str(e->json),
        };
        buffer_clear(&out);
        socket_packet_put(&out, &packet);
        is_text(buffer_slice(&out), e->text);
    }
    buffer_release(&out);
}

/* What clients send and the documents do not show. */
static void loose_forms_of_clients_are_read(void **state)
{
    (void)state;
    assert_int_equal(error_of("0/random"), SOCKET_PACKET_OK);
    is_text(p.namespace_name, "/random");
    assert_int_equal(error_of("1/custom"), SOCKET_PACKET_OK);
    assert_int_equal(error_of("2/,[\"a\"]"), SOCKET_PACKET_OK);
    is_text(p.namespace_name, "/");
    assert_int_equal(error_of("2[5,\"an event may be a number\"]"),
                     SOCKET_PACKET_OK);
    assert_int_equal(error_of("2 [ \"a\" , {} ] "), SOCKET_PACKET_OK);
    assert_int_equal(error_of("2[\"\"]"), SOCKET_PACKET_OK);
    assert_int_equal(error_of("50-[\"a\"]"), SOCKET_PACKET_OK);
    assert_int_equal(error_of("3007[]"), SOCKET_PACKET_OK);
    assert_true(p.ack_id == 7);
    assert_int_equal(error_of("2[\"a\",\"b\\u001e\\ud800\"]"),
                     SOCKET_PACKET_OK);
}

/* ---- hostile ones --------------------------------------------------------- */

static void each_bad_packet_has_its_error(void **state)
{
    static const struct {
        const char *text;
        enum socket_packet_error error;
    } bad[] = {
        {"", SOCKET_PACKET_TYPE},
        {"7", SOCKET_PACKET_TYPE},
        {"abc", SOCKET_PACKET_TYPE},
        {"-1", SOCKET_PACKET_TYPE},
        {"2", SOCKET_PACKET_SHAPE},
        {"2/admin", SOCKET_PACKET_SHAPE},
        {"2/admin,5", SOCKET_PACKET_SHAPE},
        {"2{}", SOCKET_PACKET_SHAPE},
        {"2[]", SOCKET_PACKET_SHAPE},
        {"2\"a\"", SOCKET_PACKET_SHAPE},
        {"2null", SOCKET_PACKET_SHAPE},
        {"2[null]", SOCKET_PACKET_SHAPE},
        {"2[{\"a\":1}]", SOCKET_PACKET_SHAPE},
        {"2[[\"a\"]]", SOCKET_PACKET_SHAPE},
        {"2[true]", SOCKET_PACKET_SHAPE},
        {"2abc[\"a\"]", SOCKET_PACKET_JSON},
        {"2-1[\"a\"]", SOCKET_PACKET_JSON},
        {"21.5[\"a\"]", SOCKET_PACKET_JSON},
        {"2[\"a\"", SOCKET_PACKET_JSON},
        {"2[\"a\"]]", SOCKET_PACKET_JSON},
        {"2[\"a\"]2[\"b\"]", SOCKET_PACKET_JSON},
        {"2[\"a\x1e\"]", SOCKET_PACKET_JSON},
        {"2[\"\xff\"]", SOCKET_PACKET_JSON},
        {"2[NaN]", SOCKET_PACKET_JSON},
        {"29007199254740992[\"a\"]", SOCKET_PACKET_ACK_ID},
        {"299999999999999999999999999[\"a\"]", SOCKET_PACKET_ACK_ID},
        {"3[]", SOCKET_PACKET_ACK_ID},
        {"01{}", SOCKET_PACKET_ACK_ID},
        {"11", SOCKET_PACKET_ACK_ID},
        {"312", SOCKET_PACKET_SHAPE},
        {"312{}", SOCKET_PACKET_SHAPE},
        {"0[]", SOCKET_PACKET_SHAPE},
        {"0\"token\"", SOCKET_PACKET_SHAPE},
        {"0null", SOCKET_PACKET_SHAPE},
        {"1{}", SOCKET_PACKET_SHAPE},
        {"4", SOCKET_PACKET_SHAPE},
        {"4[]", SOCKET_PACKET_SHAPE},
        {"5[\"a\"]", SOCKET_PACKET_ATTACHMENTS},
        {"51[\"a\"]", SOCKET_PACKET_ATTACHMENTS},
        {"5-[\"a\"]", SOCKET_PACKET_ATTACHMENTS},
        {"5-1-[\"a\"]", SOCKET_PACKET_ATTACHMENTS},
        {"511-[\"a\"]", SOCKET_PACKET_ATTACHMENTS},
        {"599999999999999999999-[\"a\"]", SOCKET_PACKET_ATTACHMENTS},
        {"5", SOCKET_PACKET_ATTACHMENTS},
        {"51", SOCKET_PACKET_ATTACHMENTS},
        {"51-", SOCKET_PACKET_SHAPE},
        {"61-[" PLACE0 "]", SOCKET_PACKET_ACK_ID},
        {"51-[\"a\"," PLACE1 "]", SOCKET_PACKET_PLACEHOLDER},
        {"50-[\"a\"," PLACE0 "]", SOCKET_PACKET_PLACEHOLDER},
        {"51-[\"a\",{\"b\":[" PLACE1 "]}]", SOCKET_PACKET_PLACEHOLDER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (error_of(bad[i].text) != bad[i].error)
            print_error("%s\n", bad[i].text);
        assert_int_equal(error_of(bad[i].text), bad[i].error);
        assert_true(*socket_packet_error_text(bad[i].error) != '\0');
    }
}

static void reserved_names_are_refused_however_they_are_spelled(void **state)
{
    static const char *const names[] = {
        "connect",       "connect_error", "disconnect",
        "disconnecting", "newListener",   "removeListener",
    };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(text, sizeof(text), "2[\"%s\"]", names[i]);
        assert_int_equal(error_of(text), SOCKET_PACKET_RESERVED);
        snprintf(text, sizeof(text), "2[\"\\u00%02x%s\",1]",
                 (unsigned)names[i][0], names[i] + 1);
        assert_int_equal(error_of(text), SOCKET_PACKET_RESERVED);
        snprintf(text, sizeof(text), "2[\"%sx\"]", names[i]);
        assert_int_equal(error_of(text), SOCKET_PACKET_OK);
        snprintf(text, sizeof(text), "2[\"\\u0078\\u0078\\u0078%s\"]",
                 names[i]);
        assert_int_equal(error_of(text), SOCKET_PACKET_OK);
    }
    assert_int_equal(error_of("2[\"a\",\"connect\"]"), SOCKET_PACKET_OK);
}

static void names_of_namespaces_have_a_bound(void **state)
{
    char text[SOCKET_NAMESPACE_MAX + 8] = "0/";

    (void)state;
    memset(text + 2, 'n', SOCKET_NAMESPACE_MAX - 1);
    assert_int_equal(error_of(text), SOCKET_PACKET_OK);
    assert_int_equal(p.namespace_name.len, SOCKET_NAMESPACE_MAX);
    text[SOCKET_NAMESPACE_MAX + 1] = 'n';
    assert_int_equal(error_of(text), SOCKET_PACKET_NAMESPACE);
    text[SOCKET_NAMESPACE_MAX + 2] = ',';
    assert_int_equal(error_of(text), SOCKET_PACKET_NAMESPACE);
}

static void deep_nesting_is_refused(void **state)
{
    char text[4096] = "2[\"a\",";

    (void)state;
    memset(text + 6, '[', 2000);
    memset(text + 2006, ']', 2001);
    assert_int_equal(error_of(text), SOCKET_PACKET_JSON);
}

static void placeholders_are_found_wherever_they_are(void **state)
{
    const struct slice json = slice_str(
        "[\"a\",{\"_placeholder\":true,\"num\":3},{\"x\":[ { \"num\" : 7 ,\n"
        "\"_placeholder\" : true } ]},\"{\\\"_placeholder\\\":true,\\\"num\\\""
        ":1}\",{\"_placeholder\":false,\"num\":1},{\"_placeholder\":true},"
        "{\"_placeholder\":true,\"num\":\"1\"},{\"_placeholder\":true,\"num\""
        ":1,\"more\":1},{\"_placeholder\":true,\"num\":-1},"
        "{\"a\":" PLACE0 "}]");
    uint64_t num;
    size_t at = 0;

    (void)state;
    assert_true(socket_next_placeholder(json, &at, &num) && num == 3);
    assert_true(socket_next_placeholder(json, &at, &num) && num == 7);
    assert_true(socket_next_placeholder(json, &at, &num) && num == 0);
    assert_false(socket_next_placeholder(json, &at, &num));
    assert_false(socket_next_placeholder(json, &at, &num));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_official_packet_is_read),
        cmocka_unit_test(each_official_packet_is_written),
        cmocka_unit_test(loose_forms_of_clients_are_read),
        cmocka_unit_test(each_bad_packet_has_its_error),
        cmocka_unit_test(reserved_names_are_refused_however_they_are_spelled),
        cmocka_unit_test(names_of_namespaces_have_a_bound),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(placeholders_are_found_wherever_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
