/* receive: the standing worker that brings the source's stream into the spool.
 *
 * It tells how far readers may read (the limit, a boundary between transactions, or, to the applier alone, a place
 * inside a large one), and up to which LSN that covers the source; it drops what the applier has done with. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cdc/receive.h"
#include "cdc/spool.h"
#include "engine/limit_pipe.h"
#include "engine/works.h"
#include "pg/ident.h"

#define IDLE_WAIT_MS 200
#define REPORT_MS 50
#define REPORT_IDLE_MS 1000

bool work_count_changes(const struct work *work, lsn_t from, const struct spool_position *limit,
                          int64_t *count, struct err *err)
{
    char *dir = work_spool_dir(work);
    bool ok = spool_count(dir, work->m->id, from, limit, count, err);

    free(dir);
    return ok;
}

static struct picked_table *picked_tables(const struct pipeline *p, size_t *count)
{
    struct picked_table *tables = xcalloc(p->table_count, sizeof *tables);

    *count = 0;
    for (size_t i = 0; i < p->table_count; i++) {
        const struct table *t = p->by_size[i];
        if (!t->at_cutover)
            tables[(*count)++] = (struct picked_table){.oid = (uint32_t)strtoul(t->oid, NULL, 10),
                                                       .schema = t->schema, .name = t->name};
    }
    return tables;
}

static bool open_receiver(struct work *work, struct receiver *r, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    struct buf publications = BUF_INIT;
    char *dir = work_spool_dir(work);
    size_t count;
    bool ok = work_conninfo(work, SIDE_SOURCE, &info, err);

    ident_add(&publications, work->p->slot);
    struct picked_table *tables = picked_tables(work->p, &count);
    struct receiver_options options = {
        .source = &info,
        .slot = work->p->slot,
        .publications = publications.data,
        .dir = dir,
        .identity = work->m->id,
        .tables = tables,
        .table_count = count,
        .start_lsn = work->p->start_lsn,
        .limit_bytes = work->m->plan.spool_limit_bytes,
    };
    ok = ok && receiver_open(r, &options, err);
    conninfo_release(&info);
    buf_release(&publications);
    free(tables);
    free(dir);
    return ok;
}

/* Between transactions, with nothing unsynced, the boundary covers all that was received. */
static lsn_t covered_lsn(const struct receiver *r)
{
    struct spool_position end = spool_end(r->writer);

    if (receiver_in_transaction(r) || end.segment != r->boundary.segment ||
        end.offset != r->boundary.offset || r->received_lsn < r->boundary.lsn)
        return r->boundary.lsn;
    return r->received_lsn;
}

/* What is told beside the receiver's own numbers, and what it was told last. */
struct report {
    lsn_t noted;                     /* covered, as the applier knows, */
    struct spool_position noted_limit; /* and how far it may read */
    int64_t before; /* changes that earlier receivers brought */
    int64_t spool_size, spool_size_ms;
    lsn_t covered;
    int64_t told_ms;
    int64_t rate_ms, rate_bytes, bytes_per_second;
};

/* Over a second or more: shorter ones say little. */
static void measure_rate(struct report *report, const struct receiver *r, int64_t now)
{
    if (now - report->rate_ms < 1000)
        return;
    if (report->rate_ms)
        report->bytes_per_second = (r->bytes - report->rate_bytes) * 1000 / (now - report->rate_ms);
    report->rate_ms = now;
    report->rate_bytes = r->bytes;
}

/* To the applier, who waits. */
static void note_received(struct work *work, const struct receiver *r, struct report *report)
{
    int64_t changes;
    bool ahead;
    struct limit_note note = {.limit = receiver_readable(r, &ahead, &changes), .covers = covered_lsn(r), .session = getpid()};
    bool further = note.limit.segment != report->noted_limit.segment || note.limit.offset != report->noted_limit.offset;

    note.ahead = ahead;
    note.changes = report->before + changes;
    if ((note.covers == report->noted && !further) || work->p->limit_pipe[1] < 0 ||
        !limit_pipe_tell(work->p->limit_pipe[1], &note))
        return;
    report->noted = note.covers;
    report->noted_limit = note.limit;
}

/* To the supervisor, who counts; soon, where the applier could not be told. */
static int report_in_ms(const struct work *work, const struct receiver *r, const struct report *report)
{
    lsn_t covered = covered_lsn(r);
    bool waiting = covered != report->noted || work->p->limit_pipe[1] < 0;
    int64_t due = report->told_ms - clock_mono_ms() +
                  (covered == report->covered ? REPORT_IDLE_MS : waiting ? 0 : REPORT_MS);

    return due < 0 ? 0 : (int)due;
}

static void report_received(struct work *work, const struct receiver *r, struct report *report)
{
    cJSON *message = json_message("received");
    int64_t before = report->before;

    report->covered = covered_lsn(r);
    report->told_ms = clock_mono_ms();

    cJSON *limit = work_limit_json(&r->boundary, covered_lsn(r));
    json_add_i64(limit, "changes", before + r->changes);
    json_add_num(limit, "session", getpid());
    cJSON_AddItemToObject(message, "limit", limit);
    work_json_add_lsn(message, "received", r->received_lsn);
    work_json_add_lsn(message, "confirmed", r->confirmed_lsn);
    work_json_add_lsn(message, "server", r->server_lsn);
    json_add_i64(message, "changes", before + r->changes);
    json_add_str(message, "mode", receiver_mode_name(r->mode));
    json_add_bool(message, "sourceIdle", r->idle);
    json_add_i64(message, "bytesPerSecond", report->bytes_per_second);
    json_add_i64(message, "streamedBytes", spool_open_bytes(r->writer));
    json_add_i64(message, "spoolBytes", report->spool_size);
    json_add_i64(message, "clockOffsetUs", r->clock_offset_us);
    json_add_bool(message, "full", r->full);
    json_add_str(message, "fullReason", r->full ? r->full_reason : NULL);
    work_send(work, message);
}

/* The applier's place moved on: whole segments behind it are not needed any more. */
static bool drop_applied(struct work *work, const char *dir, struct err *err)
{
    cJSON *message;
    bool ok = true;

    while (ok && (message = work_receive(work, 0, err))) {
        const char *type = json_str(message, "type");
        if (type && strcmp(type, "applied") == 0)
            ok = spool_drop_before(dir, work_json_lsn(message, "lsn"), err);
        cJSON_Delete(message);
    }
    return ok && !err_is_set(err);
}

static bool receive_stream(struct work *work, struct receiver *r, const char *dir, struct err *err)
{
    struct report report = {.before = spool_changes(r->writer), .spool_size = spool_bytes(dir),
                            .spool_size_ms = clock_mono_ms()};

    report_received(work, r, &report);
    for (;;) {
        int wait_ms = report_in_ms(work, r, &report);
        if (!receiver_step(r, wait_ms < IDLE_WAIT_MS ? wait_ms : IDLE_WAIT_MS, work->channel.fd, err))
            return false;
        note_received(work, r, &report);
        if (!drop_applied(work, dir, err))
            return false;
        int64_t now = clock_mono_ms();
        if (now - report.spool_size_ms > 2000) {
            report.spool_size = spool_bytes(dir);
            report.spool_size_ms = now;
        }
        measure_rate(&report, r, now);
        if (report_in_ms(work, r, &report) == 0)
            report_received(work, r, &report);
    }
}

bool work_receive_worker(struct work *work, struct err *err)
{
    struct receiver r = RECEIVER_INIT;
    char *dir = work_spool_dir(work);
    bool ok = open_receiver(work, &r, err);

    if (ok) {
        /* It sleeps for some microseconds at a time; the kernel would add 50. */
        prctl(PR_SET_TIMERSLACK, 1000);
        work_send(work, json_message("ready"));
        ok = receive_stream(work, &r, dir, err);
        receiver_close(&r);
    }
    free(dir);
    return ok;
}
