/* receive: the standing worker that brings the source's stream into the spool.
 *
 * It tells how far readers may read (the limit, a boundary between transactions, durable), and up to
 * which LSN that covers the source; it drops what the applier has done with. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cdc/receive.h"
#include "cdc/spool.h"
#include "engine/works.h"
#include "pg/ident.h"

#define IDLE_WAIT_MS 200

bool work_count_changes(const struct work *work, lsn_t from, const struct spool_position *limit,
                          int64_t *count, struct err *err)
{
    struct spool_reader *reader = NULL;
    struct spool_record record;
    char *dir = work_spool_dir(work);
    int got = 0;
    bool ok = spool_reader_open(dir, work->m->id, from, &reader, err);

    while (ok && (got = spool_reader_next(reader, limit, &record, err)) > 0)
        *count += record.type == SPOOL_MESSAGE && record.len && strchr("IUDT", record.data[0]);
    spool_reader_close(reader);
    free(dir);
    return ok && got == 0;
}

static bool open_receiver(struct work *work, struct receiver *r, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    struct buf publications = BUF_INIT;
    char *dir = work_spool_dir(work);
    bool ok = work_conninfo(work, SIDE_SOURCE, &info, err);

    ident_add(&publications, work->p->slot);
    struct receiver_options options = {
        .source = &info,
        .slot = work->p->slot,
        .publications = publications.data,
        .dir = dir,
        .identity = work->m->id,
        .start_lsn = work->p->start_lsn,
        .limit_bytes = work->m->plan.spool_limit_bytes,
    };
    ok = ok && receiver_open(r, &options, err);
    conninfo_release(&info);
    buf_release(&publications);
    free(dir);
    return ok;
}

/* Between transactions, with nothing unsynced, the boundary covers all that was received. */
static lsn_t covered_lsn(const struct receiver *r)
{
    struct spool_position end = spool_end(r->writer);

    if (spool_in_transaction(r->writer) || end.segment != r->boundary.segment ||
        end.offset != r->boundary.offset || r->received_lsn < r->boundary.lsn)
        return r->boundary.lsn;
    return r->received_lsn;
}

static void report_received(struct work *work, const struct receiver *r, int64_t before,
                            int64_t spool_size)
{
    cJSON *message = json_message("received");

    cJSON *limit = work_limit_json(&r->boundary, covered_lsn(r));
    json_add_i64(limit, "changes", before + r->changes);
    json_add_num(limit, "session", getpid());
    cJSON_AddItemToObject(message, "limit", limit);
    work_json_add_lsn(message, "received", r->received_lsn);
    work_json_add_lsn(message, "confirmed", r->confirmed_lsn);
    work_json_add_lsn(message, "server", r->server_lsn);
    json_add_i64(message, "changes", before + r->changes);
    json_add_i64(message, "spoolBytes", spool_size);
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
    lsn_t told_covered = LSN_INVALID;
    int64_t told_ms = 0;
    int64_t size = spool_bytes(dir);
    int64_t size_ms = clock_mono_ms();

    int64_t before = 0;
    struct err unknown = ERR_INIT;

    /* What an earlier receiver left; once something was applied only the applier knows from where. */
    work_count_changes(work, work->p->start_lsn, &r->boundary, &before, &unknown);
    err_clear(&unknown);
    report_received(work, r, before, size);
    for (;;) {
        if (!receiver_step(r, IDLE_WAIT_MS, work->channel.fd, err) || !drop_applied(work, dir, err))
            return false;
        int64_t now = clock_mono_ms();
        if (now - size_ms > 2000) {
            size = spool_bytes(dir);
            size_ms = now;
        }
        if (covered_lsn(r) != told_covered || now - told_ms > 1000) {
            told_covered = covered_lsn(r);
            told_ms = now;
            report_received(work, r, before, size);
        }
    }
}

bool work_receive_worker(struct work *work, struct err *err)
{
    struct receiver r = RECEIVER_INIT;
    char *dir = work_spool_dir(work);
    bool ok = open_receiver(work, &r, err);

    if (ok) {
        work_send(work, json_message("ready"));
        ok = receive_stream(work, &r, dir, err);
        receiver_close(&r);
    }
    free(dir);
    return ok;
}
