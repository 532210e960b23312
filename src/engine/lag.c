/* How it works: a change passes five places: written on the source (readings) -> decoded and sent by the
 * walsender (sent) -> received here (received) -> durable here (the readers' limit) -> applied (passed).
 * The widest gap is what it waits for. A walsender sends nothing of a transaction before it ends, so
 * an open one is named where decoding is the gap. */
#include "engine/lag.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"

#define RATE_WINDOW_US 60000000
#define RATE_LEAST_US 3000000
#define NOTICE_BYTES (256 << 10) /* a gap below it is what is always under way */

const char *lag_cause_name(enum lag_cause cause)
{
    static const char *const names[] = {
        [LAG_NONE] = NULL,      [LAG_DECODING] = "decoding", [LAG_NETWORK] = "network",
        [LAG_SPOOL] = "spool",  [LAG_LOCK] = "lock",         [LAG_APPLY] = "apply",
    };

    return names[cause];
}

static lsn_t source_lsn(const struct pipeline *p)
{
    return p->reading_count ? p->readings[p->reading_count - 1].lsn : LSN_INVALID;
}

static int64_t gap(lsn_t ahead, lsn_t behind)
{
    return ahead > behind && behind ? (int64_t)(ahead - behind) : 0;
}

struct gaps {
    int64_t decoding, network, spool, apply;
};

static struct gaps measure(const struct pipeline *p)
{
    const struct source_facts *facts = &p->facts;
    /* Without a look at the walsender: what it says of itself in each message. */
    lsn_t sent = facts->sent_lsn > p->received_lsn ? facts->sent_lsn : p->received_lsn;
    lsn_t durable = p->confirmed_lsn > p->passed_lsn ? p->confirmed_lsn : p->passed_lsn;

    return (struct gaps){
        .decoding = gap(source_lsn(p), sent),
        .network = gap(sent, p->received_lsn),
        .spool = gap(p->received_lsn, durable),
        .apply = gap(durable, p->passed_lsn),
    };
}

static enum lag_cause widest(const struct gaps *g)
{
    enum lag_cause cause = LAG_APPLY;
    int64_t most = g->apply;

    if (g->spool > most) {
        most = g->spool;
        cause = LAG_SPOOL;
    }
    if (g->network > most) {
        most = g->network;
        cause = LAG_NETWORK;
    }
    if (g->decoding > most) {
        most = g->decoding;
        cause = LAG_DECODING;
    }
    return most < NOTICE_BYTES ? LAG_NONE : cause;
}

/* --- words --- */

static void add_amount(struct buf *text, const char *before, int64_t bytes, const char *after)
{
    char amount[32];

    units_bytes(bytes, amount, sizeof amount);
    buf_addf(text, "%s%s%s", before, amount, after);
}

static void add_session(struct buf *text, const struct session_facts *session)
{
    char age[32];

    units_duration(session->age_us, age, sizeof age);
    buf_addf(text, "process %d of \"%s\"%s%s%s, in its transaction for %s: %s", session->pid, session->user,
             *session->application ? " (" : "", session->application, *session->application ? ")" : "", age,
             *session->query ? session->query : session->state);
}

static void explain_decoding(const struct pipeline *p, int64_t bytes, struct buf *text)
{
    const struct source_facts *facts = &p->facts;

    add_amount(text, "the source has ", bytes, " of WAL still to be decoded");
    if (facts->spilled_bytes > 0)
        add_amount(text, "; transactions that do not fit in its logical_decoding_work_mem went to its disk, ",
                   facts->spilled_bytes, " lately");
    if (facts->open.pid) {
        buf_addstr(text, "; nothing of an open transaction is applied before it ends: ");
        add_session(text, &facts->open);
    }
}

static void explain_spool(const struct pipeline *p, int64_t bytes, struct buf *text)
{
    add_amount(text, p->spool_full ? "the spool is full, and " : "a transaction of which ", bytes,
               p->spool_full ? " are received and cannot be kept" : " are here has not ended yet, or is being stored");
}

static void explain(const struct pipeline *p, enum lag_cause cause, const struct gaps *g, struct buf *text)
{
    switch (cause) {
    case LAG_NONE:
        break;
    case LAG_DECODING:
        explain_decoding(p, g->decoding, text);
        break;
    case LAG_NETWORK:
        add_amount(text, "", g->network, " were sent by the source and have not arrived here yet");
        break;
    case LAG_SPOOL:
        explain_spool(p, g->spool, text);
        break;
    case LAG_LOCK:
        buf_addstr(text, "the target's lock is held by ");
        add_session(text, &p->facts.holder);
        break;
    case LAG_APPLY:
        add_amount(text, "", g->apply, " of the source's WAL are here and being applied");
        break;
    }
}

enum lag_cause lag_explain(const struct pipeline *p, int64_t now_us, struct buf *text)
{
    struct gaps g = measure(p);
    int64_t lag = pipeline_lag_us(p, now_us);
    enum lag_cause cause = lag == 0 ? LAG_NONE : widest(&g);

    if (p->facts.holder.pid)
        cause = LAG_LOCK;
    if (text)
        explain(p, cause, &g, text);
    return cause;
}

/* --- the slot --- */

int64_t lag_wal_rate(const struct pipeline *p)
{
    if (p->reading_count < 2)
        return 0;
    const struct lsn_reading *last = &p->readings[p->reading_count - 1];
    const struct lsn_reading *first = last;
    for (size_t i = p->reading_count; i-- > 0 && last->taken_us - p->readings[i].taken_us <= RATE_WINDOW_US;)
        first = &p->readings[i];
    int64_t took_us = last->taken_us - first->taken_us;
    if (took_us < RATE_LEAST_US || last->lsn < first->lsn)
        return 0;
    return (int64_t)((double)(last->lsn - first->lsn) * 1e6 / (double)took_us);
}

struct runway lag_runway(const struct pipeline *p, int64_t plan_limit_bytes)
{
    struct runway runway = {.left_bytes = -1, .left_s = -1};
    int64_t rate = lag_wal_rate(p);

    if (plan_limit_bytes > 0) {
        runway.left_bytes = plan_limit_bytes > p->slot_retained_bytes ? plan_limit_bytes - p->slot_retained_bytes : 0;
        runway.limit = "limits.sourceSlotWal";
    }
    if (p->facts.has_safe_wal && (!runway.limit || p->facts.safe_wal_bytes < runway.left_bytes)) {
        runway.left_bytes = p->facts.safe_wal_bytes > 0 ? p->facts.safe_wal_bytes : 0;
        runway.limit = "max_slot_wal_keep_size";
    }
    if (runway.limit && rate > 0)
        runway.left_s = runway.left_bytes / rate;
    return runway;
}
