#include <errno.h>

#include "store/format/schema.h"

const char *store_strerror(enum store_err err)
{
    switch (err) {
#define X(name, value, text)                                                  \
    case STORE_##name: return text;
        STORE_ERRORS(X)
#undef X
    }
    return "unknown error";
}

enum store_err store_from_mdb(int rc)
{
    switch (rc) {
    case 0: return STORE_OK;
    case MDB_NOTFOUND: return STORE_NOTFOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL: return STORE_FULL;
    case ENOSPC:
    case EDQUOT: return STORE_DISK_FULL;
    case MDB_PANIC: return STORE_UNCERTAIN;
    case MDB_READERS_FULL:
    case ENOMEM: return STORE_NOMEM;
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND: return STORE_CORRUPT;
    case MDB_VERSION_MISMATCH: return STORE_VERSION;
    case MDB_BAD_VALSIZE:
    case EINVAL: return STORE_INVALID;
    case EACCES:
    case EPERM:
    case EROFS: return STORE_ACCESS;
    default: return STORE_IO;
    }
}
