/* The checks that can go stale, made once more right before what they are for. */
#include "check/check.h"
#include "engine/works.h"

static void tell(struct work *work, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *f = &findings->items[i];
        if (f->severity == FINDING_WARN || f->waived)
            work_event(work, "warning", "%s%s: %s: %s", f->waived ? "waived: " : "", f->id, side_name(f->side), f->message);
    }
}

bool work_check_again(struct work *work, enum check_moment moment, struct err *err)
{
    const struct plan *plan = &work->m->plan;
    struct conn source = CONN_INIT, target = CONN_INIT;
    struct findings findings = FINDINGS_INIT;
    struct check_context context = {.source = &source, .target = &target, .plan = plan, .database = work->p->plan};
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) &&
              work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err) &&
              checks_run_again(&context, moment, &findings, err);

    findings_waive(&findings, plan->waived, plan->waived_count);
    if (ok)
        tell(work, &findings);
    ok = ok && !findings_error(&findings, err);
    if (!ok && err->code == ERR_PREREQUISITE)
        err_hint(err, moment == CHECK_BEFORE_LOAD ? "Fix these, then run \"pgcutover resume\"."
                                                  : "The source was not stopped. Fix these, then cut over again.");
    findings_release(&findings);
    conn_close(&source);
    conn_close(&target);
    return ok;
}
