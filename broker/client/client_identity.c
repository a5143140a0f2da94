#include "broker/client/client_identity.h"

#include <sodium.h>

#include "broker/client/hub.h"

uint64_t client_identity_hash(struct slice identity)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    uint64_t v = 0;

    crypto_generichash(hash, sizeof(hash), identity.data, identity.len, NULL,
                       0);
    for (int i = 0; i < 8; i++)
        v = v << 8 | hash[i];
    return v == 0 ? 1 : v;
}

struct worker *client_identity_home(const struct hub *hub, uint64_t hash)
{
    return hub->workers[hash % hub->count];
}
