/* A cutover without its freeze: the steps that follow the freeze are done while writes go on, and measured. What they bring
 * over need not be brought again, so that the real ones take no longer than these. */
#include "engine/cutover.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"

/* With what it says of itself thrown away: it is not the cutover's step. */
static bool measure(struct cutover *c, const struct cutover_step *step, int64_t *took_us, struct err *err)
{
    int64_t began_us = clock_wall_us();

    c->rehearses = true;
    bool ok = step->act(c, err);
    c->rehearses = false;
    sequence_list_release(&c->on_target); /* read again by then */
    c->filter = (struct sequence_filter){NULL, NULL};
    *took_us = clock_wall_us() - began_us;
    return ok;
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

bool cutover_rehearse(struct cutover *c, struct err *err)
{
    int64_t budget_us = c->work->m->plan.max_downtime_us;
    int64_t total_us = 0;
    struct buf parts = BUF_INIT;
    bool ok = true;

    for (const struct cutover_step *step = cutover_steps; ok && step->name; step++) {
        int64_t took_us;
        if (!step->is_rehearsed)
            continue;
        ok = measure(c, step, &took_us, err);
        total_us += took_us;
        buf_addf(&parts, "%s%s %.1f s", parts.len ? ", " : "", step->name, seconds(took_us));
    }
    if (ok && budget_us && total_us > budget_us) {
        err_set(err, ERR_TIMEOUT, "the cutover would take about %.1f s, more than cutover.maxDowntime (%.1f s): nothing "
                                  "was frozen", seconds(total_us), seconds(budget_us));
        err_detail(err, "Measured without the freeze: %s.", parts.data);
        err_hint(err, "\"pgcutover verify %s\" shortly before takes what has not changed since out of the verification; or "
                      "raise cutover.maxDowntime.", c->work->m->name);
        ok = false;
    }
    if (ok)
        cutover_say(c, "about %.1f s without the freeze itself and the opening: %s", seconds(total_us), parts.data);
    buf_release(&parts);
    return ok;
}
