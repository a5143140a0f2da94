/* What proxies say of clients: PROXY headers, whole and in pieces, Forwarded and
 * X-Forwarded-For, and lists of trusted proxies. */
#include <stdlib.h>

#include "base/net/proxy_header.h"
#include "bridge/http/forwarded.h"
#include "test/fuzz/fuzz.h"

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void try_header(const uint8_t *data, size_t size)
{
    struct proxy_header whole = {0}, pieces = {0};
    enum proxy_step step = PROXY_MORE;
    size_t used = 0, at = 0, n;

    const enum proxy_step end = proxy_header_add(&whole, data, size, &used);
    must(used <= size && used <= PROXY_V2_MAX);
    must(end != PROXY_MORE || used == size);
    must(end != PROXY_BAD || whole.why != NULL);
    while (at < size && step == PROXY_MORE) {
        step = proxy_header_add(&pieces, data + at, 1, &n);
        at += n;
    }
    must(step == end && at == used);
    must(memcmp(&pieces.client, &whole.client, sizeof(whole.client)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slice in = slice_of(data, size), none = slice_of(NULL, 0);
    struct address_list trusted = {0}, list = {0};
    struct in6_addr one, other;
    struct slice bad;

    must(address_list_add(&trusted, slice_str("10.0.0.0/8 ::1"), &bad));
    try_header(data, size);
    const bool x = forwarded_client(none, in, &trusted, &one);
    const bool f = forwarded_client(in, none, &trusted, &other);
    must(!x || size > 0);
    must(!f || size > 4);
    if (size > 0)
        (void)address_list_add(&list, in, &bad);
    must(list.count <= ADDRESS_LIST_MAX);
    return 0;
}
