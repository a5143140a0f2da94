#include "benchmarks/load/ledger.h"

#include "benchmarks/measure/fatal.h"

void ledger_init(struct ledger *l, const struct ledger_shape *shape)
{
    *l = (struct ledger){.shape = *shape};
    payload_format_init(&l->format, shape->payload_size);
    l->sources = must_zalloc(shape->sources, sizeof(*l->sources));
    l->slots = must_zalloc((size_t)shape->sources * (shape->window + 1),
                           sizeof(*l->slots));
    l->readers_on = must_zalloc(shape->things, sizeof(*l->readers_on));
}

void ledger_add_reader(struct ledger *l, struct reader_book *b, unsigned thing)
{
    const unsigned sources = l->shape.sources;
    const unsigned things = l->shape.things;

    b->thing = thing;
    if (l->shape.rotate) {
        b->next = must_zalloc(sources, sizeof(*b->next));
        for (unsigned i = 0; i < sources; i++)
            b->next[i] = (thing + things - i % things) % things;
    } else {
        /* Only its own: a thousand readers with a book about a thousand
         * sources each would be more than the caches hold. */
        b->next = must_zalloc(sources / things + 1, sizeof(*b->next));
    }
    l->readers_on[thing]++;
}

/* NULL: the source does not publish on the reader's thing. */
static uint32_t *next_of(const struct ledger *l, const struct reader_book *b,
                         unsigned source)
{
    const unsigned things = l->shape.things;

    if (l->shape.rotate)
        return &b->next[source];
    return source % things == b->thing ? &b->next[source / things] : NULL;
}

static struct slot *slot_of(const struct ledger *l, unsigned source,
                            uint32_t number)
{
    const unsigned window =
        l->shape.window + (source < l->shape.wider ? 1 : 0);
    const size_t row = (size_t)source * (l->shape.window + 1);

    return &l->slots[row + number % window];
}

bool ledger_may_publish(const struct ledger *l, unsigned source)
{
    return slot_of(l, source, l->sources[source].published)->awaited == 0;
}

unsigned ledger_thing(const struct ledger *l, unsigned source)
{
    const unsigned own = source % l->shape.things;

    if (!l->shape.rotate)
        return own;
    return (own + l->sources[source].published) % l->shape.things;
}

const char *ledger_publish(struct ledger *l, unsigned source, int64_t sent_ns)
{
    const unsigned readers = l->readers_on[ledger_thing(l, source)];
    const uint32_t number = l->sources[source].published++;
    struct slot *slot = slot_of(l, source, number);

    if (ledger_settled(l))
        l->progress_ns = sent_ns; /* from now on something is awaited */
    slot->sent_ns = sent_ns;
    slot->awaited = (l->shape.answered ? 1 : 0) +
                    (l->shape.await_deliveries ? readers : 0);
    l->published++;
    l->deliveries_owed += readers;
    return payload_write(&l->format,
                         &(struct payload){source, number, sent_ns});
}

void ledger_answer(struct ledger *l, unsigned source, int64_t now_ns)
{
    struct source_book *book = &l->sources[source];

    if (book->answered == book->published)
        fatal("publisher %u: an answer to nothing", source);
    struct slot *slot = slot_of(l, source, book->answered++);

    slot->awaited--;
    l->answers++;
    l->progress_ns = now_ns;
    histogram_add(&l->answer_latency, now_ns - slot->sent_ns);
}

static void refuse(const struct reader_book *b, const struct payload *p,
                   const uint32_t *next)
{
    if (next == NULL)
        fatal("reader of thing %u got message %u of publisher %u, which is "
              "not for it",
              b->thing, p->number, p->source);
    if (p->number < *next)
        fatal("reader of thing %u got message %u of publisher %u twice",
              b->thing, p->number, p->source);
    fatal("reader of thing %u got message %u of publisher %u instead of %u: "
          "lost or out of order",
          b->thing, p->number, p->source, *next);
}

void ledger_deliver(struct ledger *l, struct reader_book *b, const char *text,
                    size_t len, int64_t now_ns)
{
    struct payload p;

    if (len != l->format.size || !payload_read(&l->format, text, &p) ||
        p.source >= l->shape.sources)
        fatal("reader of thing %u got a payload nobody sent: %.*s", b->thing,
              (int)(len < 200 ? len : 200), text);
    uint32_t *next = next_of(l, b, p.source);

    if (next == NULL || p.number != *next)
        refuse(b, &p, next);
    if (p.number >= l->sources[p.source].published)
        fatal("reader of thing %u got message %u of publisher %u before it "
              "was sent",
              b->thing, p.number, p.source);

    *next += l->shape.rotate ? l->shape.things : 1;
    if (l->shape.await_deliveries)
        slot_of(l, p.source, p.number)->awaited--;
    l->deliveries++;
    l->progress_ns = now_ns;
    histogram_add(&l->delivery_latency, now_ns - p.sent_ns);
}

bool ledger_settled(const struct ledger *l)
{
    return l->deliveries == l->deliveries_owed &&
           (!l->shape.answered || l->answers == l->published);
}

void ledger_give_up(const struct ledger *l)
{
    fatal("stuck: of %llu published messages %llu were answered; %llu of %llu "
          "deliveries arrived",
          (unsigned long long)l->published, (unsigned long long)l->answers,
          (unsigned long long)l->deliveries,
          (unsigned long long)l->deliveries_owed);
}
