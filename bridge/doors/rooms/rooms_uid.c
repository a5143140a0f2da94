#include "bridge/doors/rooms/rooms_uid.h"

#include <sodium.h>

void rooms_uid_make(char *out, size_t len)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (size_t i = 0; i < len; i++)
        out[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
}
