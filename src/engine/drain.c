#include "engine/drain.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"

#define MEASURED_FROM_MS 300 /* a shorter time says little of the speed */

/* The speed is that since the wait began. */
static void tell_left(struct supervisor *s, struct pipeline *p)
{
    int64_t took_ms = clock_mono_ms() - p->drain_began_ms;
    lsn_t now = p->passed_lsn;
    int64_t left = (int64_t)(p->drain_lsn - now);
    int64_t done = now > p->drain_from_lsn ? (int64_t)(now - p->drain_from_lsn) : 0;
    char bytes[32], time[32];

    units_bytes(left, bytes, sizeof bytes);
    units_duration(done ? (int64_t)((double)left / (double)done * (double)took_ms * 1000) : 0, time, sizeof time);
    char *text = done && took_ms >= MEASURED_FROM_MS ? xasprintf("%s of WAL left, about %s", bytes, time)
                                                     : xasprintf("%s of WAL left", bytes);
    for (size_t i = 0; i < p->step_count; i++)
        if (strcmp(p->steps[i].state, "running") == 0)
            str_replace(&p->steps[i].text, text);
    free(text);
    pipeline_touch(s->m, p);
}

void drain_moved(struct supervisor *s, struct pipeline *p)
{
    struct worker *cutover = supervisor_worker(s, p, "cutover");
    char text[LSN_TEXT_SIZE];

    cutover = cutover ? cutover : supervisor_worker(s, p, "rehearse");
    if (!cutover || !p->drain_lsn)
        return;
    if (p->passed_lsn < p->drain_lsn) {
        tell_left(s, p);
        return;
    }
    cJSON *message = json_message("drained");
    json_add_str(message, "lsn", lsn_format(p->drain_lsn, text));
    json_add_str(message, "lastChange", lsn_format(p->last_change_lsn, text));
    /* Passed is not applied where a table was taken out of the stream. */
    if (p->behind_count)
        json_add_str(message, "behind", p->first_stopped ? p->first_stopped->name : "");
    channel_queue(&cutover->channel, message);
    p->drain_lsn = LSN_INVALID;
}

void drain_on_wanted(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;

    p->drain_lsn = LSN_INVALID;
    lsn_parse(json_str(message, "lsn"), &p->drain_lsn);
    p->drain_from_lsn = p->passed_lsn;
    p->drain_began_ms = clock_mono_ms();
    drain_moved(s, p);
}
