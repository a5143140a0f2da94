/* A reading process that opens the store's data.mdb, begins a read transaction,
 * says `pinned`, and holds it until its standard input ends: pages freed after
 * its snapshot cannot be reused meanwhile. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

static int check(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "pin_reader: %s: %s\n", what, mdb_strerror(rc));
        exit(1);
    }
    return rc;
}

int main(int argc, char **argv)
{
    MDB_env *env;
    MDB_txn *txn;

    if (argc != 2) {
        fputs("usage: pin_reader DATA-FOLDER\n", stderr);
        return 2;
    }
    check(mdb_env_create(&env), "create");
    check(mdb_env_set_maxdbs(env, 32), "maxdbs");
    check(mdb_env_open(env, argv[1], MDB_RDONLY | MDB_NOTLS, 0), argv[1]);
    check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
    puts("pinned");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return 0;
}
