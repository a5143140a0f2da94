#include "broker/admin/trace_answer.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/trace.h"

#define LINES_BYTES (14U * 1024)

static void put_line(struct json_writer *w, const struct trace_line *line)
{
    const enum trace_hop hop = (enum trace_hop)line->hop;

    json_object(w);
    json_member_u64(w, "at_us", (uint64_t)line->at_us);
    json_member_u64(w, "mono_us", (uint64_t)line->mono_us);
    json_member_text(w, "hop", trace_hop_word(hop));
    json_member_text(w, "who", trace_hop_who(hop));
    json_member_u64(w, "number", line->who);
    json_member_string(w, "thing", slice_of(line->thing, line->thing_len));
    json_member_u64(w, "id", line->id);
    json_member_u64(w, "ref", line->ref);
    json_member_u64(w, "bytes", line->bytes);
    json_object_end(w);
}

bool trace_answer(struct slice token, uint64_t owner, struct buffer *out)
{
    struct json_writer writer = json_writer_of(out), *w = &writer;
    struct trace_line line;
    bool more = true;

    if (!trace_keep(token, owner, clock_mono_us()))
        return false;
    json_object(w);
    json_member_array(w, "lines");
    while (out->len < LINES_BYTES && (more = trace_next(&line)))
        put_line(w, &line);
    json_array_end(w);
    json_member_u64(w, "dropped", trace_take_dropped());
    json_member_bool(w, "more", more);
    json_member_bool(w, "bridge", trace_has_bridge());
    json_object_end(w);
    return true;
}
