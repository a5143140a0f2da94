/* Everybody there is, and what all of them do together. */
#ifndef CONFAB_BENCHMARKS_CHURN_POPULATION_H
#define CONFAB_BENCHMARKS_CHURN_POPULATION_H

#include "benchmarks/churn/publisher.h"
#include "benchmarks/churn/reader.h"

struct population {
    struct world *world;
    struct churn_publisher *publishers; /* one for each lane */
    struct churn_reader *readers;
    unsigned reader_count;
    struct group *groups;
    unsigned group_count;
};

void population_init(struct population *p, struct world *w, unsigned readers);

void population_tick(struct population *p, int64_t now_ns);
void population_second(struct population *p, int64_t now_ns);
void population_server_back(struct population *p, int64_t now_ns);

struct attendance {
    unsigned readers, publishers, slow; /* connected; slow ones are readers */
};
struct attendance population_count(const struct population *p);

/* Publishers are gone, and everybody has what is owed. */
bool population_settled(const struct population *p);
/* Reports what is missing for that. */
void population_report_unsettled(struct population *p);

#endif
