#include "cli/roll_call.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/flat_json.h"
#include "base/vocabulary.h"
#include "cli/client.h"
#include "cli/folder.h"
#include "cli/secret.h"

#define CURSOR_SIZE 80

static void put_text(msgpack_packer *pk, const char *text)
{
    msgpack_pack_str(pk, strlen(text));
    msgpack_pack_str_body(pk, text, strlen(text));
}

static void put_member(msgpack_packer *pk, const char *name, const char *text)
{
    if (text == NULL)
        return;
    put_text(pk, name);
    put_text(pk, text);
}

static void put_yes(msgpack_packer *pk, const char *name, bool yes)
{
    if (!yes)
        return;
    put_text(pk, name);
    msgpack_pack_uint8(pk, 1);
}

static bool ask(struct client *client, const struct roll_call *r,
                const char *from, struct client_answer *ret_answer)
{
    msgpack_sbuffer body;
    msgpack_packer pk;
    char topic[64];

    msgpack_sbuffer_init(&body);
    msgpack_packer_init(&pk, &body, msgpack_sbuffer_write);
    msgpack_pack_map(&pk, (size_t)(r->token != NULL) + (r->client != NULL) +
                              (r->address != NULL) + r->all + r->full +
                              r->refused + 1);
    put_member(&pk, "token", r->token);
    put_member(&pk, "client", r->client);
    put_member(&pk, "address", r->address);
    put_yes(&pk, "all", r->all);
    put_yes(&pk, "full", r->full);
    put_yes(&pk, "refused", r->refused);
    put_member(&pk, "from", from);
    snprintf(topic, sizeof(topic), COMMAND_PREFIX "%s", r->command);
    const bool answered =
        client_publish(client, slice_str(topic),
                       slice_of(body.data, body.size), false, ret_answer);
    msgpack_sbuffer_destroy(&body);
    return answered && ret_answer->status == 200 && ret_answer->result != NULL;
}

/* Where to go on, into `from`. false: that was the end. */
static bool go_on(struct slice answer, char *from)
{
    struct slice next;

    if (!flat_json_member(answer, "next", &next) || next.len < 2 ||
        *(const char *)next.data != '"' || next.len - 2 >= CURSOR_SIZE)
        return false;
    memcpy(from, (const char *)next.data + 1, next.len - 2);
    from[next.len - 2] = '\0';
    return true;
}

static int ask_all(struct client *client, const struct roll_call *r,
                   void (*take)(void *arg, struct slice answer), void *arg)
{
    char from[CURSOR_SIZE] = "";
    struct client_answer a;
    bool more = true;

    while (more) {
        if (!ask(client, r, from, &a)) {
            free(a.result);
            return failure(r->command, "%s",
                           a.reason[0] != '\0' ? a.reason : "no answer");
        }
        take(arg, slice_str(a.result));
        more = go_on(slice_str(a.result), from);
        free(a.result);
    }
    return EXIT_SUCCESS;
}

int roll_call(const struct settings *s, const struct roll_call *r,
              void (*take)(void *arg, struct slice answer), void *arg)
{
    struct roll_call whole = *r;
    struct secret token;
    int end = secret_read_any(s, r->command, r->token, r->token_file, &token);

    if (end != EXIT_SUCCESS)
        return end;
    if (r->token != NULL || r->token_file != NULL)
        whole.token = token.text;
    struct client *client = folder_client(s, r->command);
    if (client == NULL)
        return EXIT_FAILURE;
    end = ask_all(client, &whole, take, arg);
    client_close(client);
    return end;
}
