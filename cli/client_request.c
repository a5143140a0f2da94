#include "cli/client_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/flat_json.h"
#include "base/msgpack/map.h"
#include "base/vocabulary.h"
#include "cli/client.h"
#include "cli/folder.h"
#include "cli/secret.h"

#define CURSOR_SIZE 80

static bool request_page(struct client *client, const struct client_request *r,
                         const char *from, struct client_answer *ret_answer)
{
    struct buffer body = BUFFER_INIT;
    struct map_writer m = map_begin(&body);
    char topic[64];

    map_text(&m, "token", r->token);
    map_text(&m, "client", r->client);
    map_text(&m, "address", r->address);
    map_yes(&m, "all", r->all);
    map_yes(&m, "full", r->full);
    map_yes(&m, "refused", r->refused);
    map_text(&m, "from", from);
    map_end(&m);
    snprintf(topic, sizeof(topic), COMMAND_PREFIX "%s", r->command);
    const bool answered =
        client_publish(client, slice_str(topic), buffer_slice(&body), false,
                       ret_answer);
    buffer_release(&body);
    return answered && ret_answer->status == 200 && ret_answer->result != NULL;
}

/* Copies the cursor of the next page to `from`. false: this was the last
 * page. */
static bool next_page(struct slice answer, char *from)
{
    struct slice next;

    if (!flat_json_member(answer, "next", &next) || next.len < 2 ||
        *(const char *)next.data != '"' || next.len - 2 >= CURSOR_SIZE)
        return false;
    memcpy(from, (const char *)next.data + 1, next.len - 2);
    from[next.len - 2] = '\0';
    return true;
}

static int request_all_pages(struct client *client,
                             const struct client_request *r,
                             void (*take)(void *arg, struct slice answer),
                             void *arg)
{
    char from[CURSOR_SIZE] = "";
    struct client_answer a;
    bool more = true;

    while (more) {
        if (!request_page(client, r, from, &a)) {
            free(a.result);
            return failure(r->command, "%s",
                           a.reason[0] != '\0' ? a.reason : "no answer");
        }
        take(arg, slice_str(a.result));
        more = next_page(slice_str(a.result), from);
        free(a.result);
    }
    return EXIT_SUCCESS;
}

int client_request_send(const struct command_line *s,
                        const struct client_request *r,
                        void (*take)(void *arg, struct slice answer),
                        void *arg)
{
    struct client_request whole = *r;
    struct secret token;
    int end = secret_read_any(s, r->command, r->token, r->token_file, &token);

    if (end != EXIT_SUCCESS)
        return end;
    if (r->token != NULL || r->token_file != NULL)
        whole.token = token.text;
    struct client *client = folder_client(s, r->command);
    if (client == NULL)
        return EXIT_FAILURE;
    end = request_all_pages(client, &whole, take, arg);
    client_close(client);
    return end;
}
