#include "benchmarks/load/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "benchmarks/measure/fatal.h"

static FILE *open_proc(pid_t pid, const char *name)
{
    char path[96];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    f = fopen(path, "re");
    if (f == NULL)
        fatal("cannot read %s: %s", path, strerror(errno));
    return f;
}

/* "Proportional set size": a page shared by n processes counts 1/n in each. */
static uint64_t resident_of(pid_t pid)
{
    static const char *const fields[] = {"Pss_Anon:", "Pss_Shmem:"};
    FILE *f = open_proc(pid, "smaps_rollup");
    char line[256];
    uint64_t sum = 0;
    unsigned found = 0;

    while (fgets(line, sizeof(line), f) != NULL) {
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            const size_t len = strlen(fields[i]);
            unsigned long long kib;

            if (strncmp(line, fields[i], len) == 0 &&
                sscanf(line + len, "%llu", &kib) == 1) {
                sum += kib * 1024;
                found++;
            }
        }
    }
    fclose(f);
    if (found != 2)
        fatal("/proc/%d/smaps_rollup has no Pss_Anon and Pss_Shmem", (int)pid);
    return sum;
}

uint64_t memory_resident(pid_t pid)
{
    uint64_t sum = resident_of(pid);
    char name[64];
    int child;

    snprintf(name, sizeof(name), "task/%d/children", (int)pid);
    FILE *f = open_proc(pid, name);

    while (fscanf(f, "%d", &child) == 1)
        sum += memory_resident(child);
    fclose(f);
    return sum;
}
