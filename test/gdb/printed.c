/* What scripts/gdb/confab.py is to print: gdb reads these out of the file, so no
 * process runs and none need be allowed to be traced. */
#include "bridge/stream/stream_private.h"
#include "broker/client/connection.h"

struct slice a_slice = {"demo/\"x\"\n", 9};
struct slice no_slice;
struct buffer a_buffer = {"held", 4, 64, 100, true};

struct connection a_connection = {
    .number = 17,
    .state = CONNECTION_LINGERING,
    .peer = "127.0.0.1:51234",
    .identity = "secrettokensecret\0pump",
    .identity_len = 22,
    .token_len = 17,
    .out = {.bytes = 4096, .count = 3},
    .inflight = {.count = 2, .window = 256},
    .unacked_count = 5,
    .commands = 6,
    .command_bytes = 700,
    .filter_count = 1,
    .stalled = true,
};
struct connection a_new_connection = {.peer = "[::1]:9"};

struct stream a_stream = {
    .fd = 12,
    .state = STREAM_CATCHUP,
    .queue = QUEUE_WAITING,
    .position = 99,
    .output = {.bytes = 1000, .count = 2},
    .half_closed = true,
};

int main(void)
{
    return 0;
}
