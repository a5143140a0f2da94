#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/flat_json.h"
#include "cli/cli.h"
#include "cli/client_request.h"
#include "cli/secret.h"

#define NAME "kick"

static const char usage[] =
    "Usage: confab kick [-t TOKEN] CLIENT_ID\n"
    "       confab kick -t TOKEN --all\n"
    "       confab kick -a ADDRESS\n\n"
    "Closes MQTT connections of the running server of the data folder: of one\n"
    "client (without -t: a client without a token), of all clients of a token, of\n"
    "the peer at ADDRESS:PORT, or of all peers at ADDRESS, including those that\n"
    "have sent no CONNECT. MQTT 5 clients are sent DISCONNECT 0x98, and wills are\n"
    "published. The clients may reconnect; to prevent that, revoke the token.\n"
    "Prints how many connections were closed; exits with 1 if there were none.\n" SECRET_HELP
    "\n"
    "  -t, --token TOKEN      the token; '': clients without a token\n" SECRET_FILE_HELP
    "  -a, --address ADDRESS  as printed by 'confab clients', or without the port\n"
    "      --all              every client of the token\n";

static const struct option own[] = {
    {"token", required_argument, NULL, 't'},
    SECRET_FILE_OPTION,
    {"address", required_argument, NULL, 'a'},
    {"all", no_argument, NULL, 'A'},
    {0},
};

static bool take_option(void *arg, int option, const char *value)
{
    struct client_request *r = arg;

    switch (option) {
    case 't': r->token = value; return true;
    case SECRET_FILE: r->token_file = value; return true;
    case 'a': r->address = value; return true;
    case 'A': r->all = true; return true;
    default: return false;
    }
}

static void count_kicked(void *arg, struct slice answer)
{
    unsigned long long *kicked = arg;
    struct slice value;

    if (flat_json_member(answer, "kicked", &value))
        *kicked += strtoull(value.data, NULL, 10); /* ends at a comma */
}

int cli_kick(int argc, char **argv)
{
    static struct command_line s;
    struct client_request r = {.command = NAME};
    unsigned long long kicked = 0;
    int end = command_line_parse(&s, argc, argv, "t:a:", own, take_option, &r,
                                 usage);

    if (end >= 0)
        return end;
    if (argc - s.first > 1)
        return usage_error(NAME, "unexpected '%s'", argv[s.first + 1]);
    if (s.first < argc)
        r.client = argv[s.first];
    if ((r.client != NULL) + r.all + (r.address != NULL) != 1)
        return usage_error(NAME, "expected CLIENT_ID, --all or --address");
    const bool has_token = r.token != NULL || r.token_file != NULL;
    if (r.all && !has_token)
        return usage_error(NAME, "--all needs --token or --token-file");
    if (r.client != NULL && !has_token)
        r.token = "";
    end = client_request_send(&s, &r, count_kicked, &kicked);
    if (end != EXIT_SUCCESS)
        return end;
    if (kicked == 0)
        return failure(NAME, "no such client is connected");
    printf("%llu\n", kicked);
    return EXIT_SUCCESS;
}
