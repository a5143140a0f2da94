#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/flat_json.h"
#include "cli/cli.h"
#include "cli/roll_call.h"
#include "cli/secret.h"

#define NAME "kick"

static const char usage[] =
    "Usage: confab kick [-t TOKEN] CLIENT_ID\n"
    "       confab kick -t TOKEN --all\n"
    "       confab kick -a ADDRESS\n\n"
    "Ends MQTT connections to the running server of the data folder: of that\n"
    "client (without -t: one that gave no token), of all clients of a token, or\n"
    "of whoever is at that address:port, or with a host alone of all from there,\n"
    "those included that have not said CONNECT. Clients are told so (MQTT 5:\n"
    "DISCONNECT 0x98), their wills are published, and nothing keeps them from\n"
    "coming back: for that, revoke the token. Prints how many there were; exits\n"
    "with 1 when there was none.\n" SECRET_HELP "\n"
    "  -t, --token TOKEN      the token; '' is that of clients without one\n" SECRET_FILE_HELP
    "  -a, --address ADDRESS  as 'confab clients' prints it, or without the port\n"
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
    struct roll_call *r = arg;

    switch (option) {
    case 't': r->token = value; return true;
    case SECRET_FILE: r->token_file = value; return true;
    case 'a': r->address = value; return true;
    case 'A': r->all = true; return true;
    default: return false;
    }
}

static void count(void *arg, struct slice answer)
{
    unsigned long long *kicked = arg;
    struct slice value;

    if (flat_json_member(answer, "kicked", &value))
        *kicked += strtoull(value.data, NULL, 10); /* a comma ends it */
}

int cli_kick(int argc, char **argv)
{
    static struct settings s;
    struct roll_call r = {.command = NAME};
    unsigned long long kicked = 0;
    int end =
        settings_parse(&s, argc, argv, "t:a:", own, take_option, &r, usage);

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
    end = roll_call(&s, &r, count, &kicked);
    if (end != EXIT_SUCCESS)
        return end;
    if (kicked == 0)
        return failure(NAME, "no such client is connected");
    printf("%llu\n", kicked);
    return EXIT_SUCCESS;
}
