#include "base/token.h"

#include <sodium.h>

#define RANDOM_BYTES (TOKEN_MADE / 4 * 3)

void token_make(char ret_token[TOKEN_MADE + 1])
{
    unsigned char random[RANDOM_BYTES];

    do {
        randombytes_buf(random, sizeof(random));
        sodium_bin2base64(ret_token, TOKEN_MADE + 1, random, sizeof(random),
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    } while (ret_token[0] == '-');
    sodium_memzero(random, sizeof(random));
}
