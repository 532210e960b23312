/* How it works: a step drains what libpq has, appends it to the spool, syncs, confirms.
 *
 * - The stream starts at the spool's last boundary X. The server sends the transactions whose commit
 *   record starts at X or later (SnapBuildXactNeedsSkip() in PostgreSQL's snapbuild.c), whole and in
 *   commit order, so what was half received comes again.
 * - A keepalive carries the end of the last WAL record that the server has decoded. Transactions are
 *   sent when their commit record is decoded, so between transactions everything before that position
 *   has been received. Inside one, the position says nothing that the commit will not say better.
 * - The server may forget what we confirm: only spool_synced() is confirmed. On a source where others
 *   write, a mark makes keepalive positions durable so that they can be confirmed: every 10 s, or when
 *   the server insists (it asks again for a reply to what we reported as written: it is shutting
 *   down), or when somebody waits for it.
 * - A server sends message by message with a system call each when the reader is always ready, so the
 *   reader lets data gather for 100 us while there is traffic.
 * - While the spool is full nothing is read, and feedback with the old positions is sent once a second:
 *   for the server's wal_sender_timeout that is as good as answering its keepalives. */
#include "cdc/receive.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/stop.h"
#include "cdc/segment.h"
#include "sql/sql.h"

#define DRAIN_MS 10
#define DRAIN_BYTES (1 << 20)
#define GATHER_US 100
#define SYNC_MS 10
#define SYNC_BYTES (1 << 20)
#define SYNC_INSIDE_BYTES (16 << 20) /* inside a transaction: so that its commit does not wait long */
#define FEEDBACK_MS 1000
#define FEEDBACK_SOON_MS 100
#define MARK_MS 10000
#define FULL_MS 200
#define OFFSET_MS 60000

static bool check_slot(struct conn *c, const char *slot, lsn_t *confirmed, struct err *err)
{
    PGresult *res = conn_exec_params(c, sql_slot_position, 1, &slot, err);
    bool ok = false;

    if (!res)
        return false;
    if (PQntuples(res) == 0) {
        err_set(err, ERR_PREREQUISITE, "%s: replication slot \"%s\" does not exist any more",
                c->label, slot);
        segment_explain_loss(err);
    } else if (strcmp(PQgetvalue(res, 0, 1), "lost") == 0) {
        err_set(err, ERR_PREREQUISITE, "%s: replication slot \"%s\" has lost its WAL", c->label,
                slot);
        segment_explain_loss(err);
    } else if (!lsn_parse(PQgetvalue(res, 0, 0), confirmed)) {
        err_set(err, ERR_PREREQUISITE, "%s: replication slot \"%s\" has no position", c->label,
                slot);
    } else {
        ok = true;
    }
    PQclear(res);
    return ok;
}

static bool read_confirmed(const struct receiver_options *options, lsn_t *confirmed,
                           struct err *err)
{
    struct conn plain = CONN_INIT;
    struct conn_options how = {.side = SIDE_SOURCE,
                               .profile = CONN_PLAIN,
                               .role = "receive",
                               .dbname = options->dbname};
    bool ok = conn_open(&plain, options->source, &how, err) &&
              check_slot(&plain, options->slot, confirmed, err);

    conn_close(&plain);
    return ok;
}

static bool open_spool(struct receiver *r, const struct receiver_options *options, lsn_t confirmed,
                       struct err *err)
{
    struct spool_options how = {.segment_bytes = options->segment_bytes,
                                .limit_bytes = options->limit_bytes,
                                .start_lsn = options->start_lsn,
                                .confirmed_lsn = confirmed};

    return spool_writer_open(options->dir, options->identity, &how, &r->writer, err);
}

static bool open_stream(struct receiver *r, const struct receiver_options *options, struct err *err)
{
    struct conn_options how = {.side = SIDE_SOURCE,
                               .profile = CONN_REPLICATION,
                               .role = "receive",
                               .dbname = options->dbname};

    return conn_open(&r->conn, options->source, &how, err) &&
           repl_start(&r->conn, options->slot, spool_end(r->writer).lsn, options->publications, err);
}

static void take_boundary(struct receiver *r)
{
    r->boundary = spool_synced(r->writer);
    r->synced_lsn = r->boundary.lsn;
    if (r->received_lsn < r->synced_lsn)
        r->received_lsn = r->synced_lsn;
}

bool receiver_open(struct receiver *r, const struct receiver_options *options, struct err *err)
{
    lsn_t confirmed = LSN_INVALID;

    *r = (struct receiver)RECEIVER_INIT;
    if (!read_confirmed(options, &confirmed, err) || !open_spool(r, options, confirmed, err) ||
        !open_stream(r, options, err)) {
        receiver_close(r);
        return false;
    }
    take_boundary(r);
    r->confirmed_lsn = confirmed;
    r->server_lsn = r->received_lsn;
    r->feedback_ms = r->mark_ms = clock_mono_ms();
    return true;
}

void receiver_close(struct receiver *r)
{
    repl_msg_release(&r->msg);
    conn_close(&r->conn);
    spool_writer_close(r->writer);
    r->writer = NULL;
}

void receiver_want(struct receiver *r, lsn_t lsn)
{
    if (r->wanted_lsn < lsn)
        r->wanted_lsn = lsn;
}

/* The largest difference of a minute is that of the message that was under way for the least time. */
static void note_clock(struct receiver *r, int64_t sent_us)
{
    int64_t offset_us = sent_us - clock_wall_us();
    int64_t now = clock_mono_ms();

    if (!r->offset_ms || now - r->offset_ms >= OFFSET_MS) {
        r->offset_ms = now;
        r->offset_best_us = offset_us;
    } else if (r->offset_best_us < offset_us) {
        r->offset_best_us = offset_us;
    }
    r->clock_offset_us = r->offset_best_us;
}

static void count_message(struct receiver *r, const struct repl_msg *msg)
{
    struct segment_peek peek;

    r->messages++;
    r->bytes += msg->len;
    r->unsynced_bytes += msg->len;
    if (msg->data[0] == 'B') {
        r->pending_changes = 0;
    } else if (strchr("IUDT", msg->data[0])) {
        r->pending_changes++;
    } else if (msg->data[0] == 'C' && segment_peek(msg->data, (size_t)msg->len, &peek)) {
        r->transactions++;
        r->changes += r->pending_changes;
        r->pending_changes = 0;
        r->last_commit_us = peek.commit_us;
    }
}

static bool handle_data(struct receiver *r, const struct repl_msg *msg, struct err *err)
{
    if (!spool_append(r->writer, msg->start_lsn, msg->data, (size_t)msg->len, err))
        return false;
    count_message(r, msg);
    lsn_t end = spool_end(r->writer).lsn;
    if (r->received_lsn < end)
        r->received_lsn = end;
    if (!r->unsynced_since_ms && !spool_in_transaction(r->writer))
        r->unsynced_since_ms = clock_mono_ms();
    return true;
}

static void handle_keepalive(struct receiver *r, const struct repl_msg *msg)
{
    note_clock(r, msg->sent_us);
    if (!spool_in_transaction(r->writer) && r->received_lsn < msg->end_lsn)
        r->received_lsn = msg->end_lsn;
    if (!msg->reply_requested)
        return;
    r->reply_requested = true;
    if (msg->end_lsn <= r->written_lsn)
        r->mark_requested = true;
}

static bool handle(struct receiver *r, struct err *err)
{
    const struct repl_msg *msg = &r->msg;

    if (msg->kind == REPL_END) {
        err_set(err, ERR_CONNECTION, "%s: the server has ended the replication stream",
                r->conn.label);
        err_hint(err, "It is probably being shut down or restarted.");
        if (err)
            err->retryable = true;
        return false;
    }
    if (r->server_lsn < msg->end_lsn)
        r->server_lsn = msg->end_lsn;
    if (msg->kind == REPL_DATA)
        return handle_data(r, msg, err);
    if (msg->kind == REPL_KEEPALIVE)
        handle_keepalive(r, msg);
    return true;
}

/* Takes messages until none is there, or for long enough. *count says how many. */
static bool drain(struct receiver *r, int *count, struct err *err)
{
    int64_t until = clock_mono_ms() + DRAIN_MS;
    int64_t bytes = r->bytes;

    for (*count = 0; r->bytes - bytes < DRAIN_BYTES; ++*count) {
        if (*count % 64 == 63 && clock_mono_ms() >= until)
            return true;
        if (!repl_next(&r->conn, &r->msg, 0, -1, err))
            return false;
        if (r->msg.kind == REPL_NONE)
            return true;
        if (*count == 0 && r->msg.kind == REPL_DATA)
            note_clock(r, r->msg.sent_us);
        if (!handle(r, err))
            return false;
    }
    return true;
}

static bool sync_now(struct receiver *r, struct err *err)
{
    if (!spool_sync(r->writer, err))
        return false;
    r->unsynced_bytes = 0;
    r->unsynced_since_ms = 0;
    take_boundary(r);
    return true;
}

/* Does the spool's position lag behind what was received, and is it time to mend that? */
static bool mark_is_due(const struct receiver *r, int64_t now)
{
    lsn_t end = spool_end(r->writer).lsn;

    if (spool_in_transaction(r->writer) || r->received_lsn <= end)
        return false;
    if (end < r->wanted_lsn && r->wanted_lsn <= r->received_lsn)
        return true;
    return now - r->mark_ms >= (r->mark_requested ? FEEDBACK_SOON_MS : MARK_MS);
}

static bool spool_turn(struct receiver *r, bool idle, struct err *err)
{
    int64_t now = clock_mono_ms();

    if (mark_is_due(r, now)) {
        if (!spool_mark(r->writer, r->received_lsn, err))
            return false;
        r->mark_ms = now;
        r->mark_requested = false;
        return sync_now(r, err);
    }
    bool pending = r->unsynced_since_ms != 0;
    if ((pending && (idle || r->unsynced_bytes >= SYNC_BYTES ||
                     now - r->unsynced_since_ms >= SYNC_MS)) ||
        r->unsynced_bytes >= SYNC_INSIDE_BYTES)
        return sync_now(r, err);
    return true;
}

/* In how many ms feedback is due; 0: now. */
static int feedback_in_ms(const struct receiver *r)
{
    bool news = r->confirmed_lsn < r->synced_lsn || r->written_lsn < r->received_lsn;
    int64_t due = r->feedback_ms + (news ? FEEDBACK_SOON_MS : FEEDBACK_MS) - clock_mono_ms();

    return r->reply_requested || due < 0 ? 0 : (int)due;
}

static bool feedback_turn(struct receiver *r, struct err *err)
{
    if (feedback_in_ms(r) > 0)
        return true;
    if (!repl_feedback(&r->conn, r->received_lsn, r->synced_lsn, r->synced_lsn, false, err))
        return false;
    r->feedback_ms = clock_mono_ms();
    r->confirmed_lsn = r->synced_lsn;
    r->written_lsn = r->received_lsn;
    r->reply_requested = false;
    return true;
}

static int wait_ms(const struct receiver *r, int timeout_ms)
{
    int due = feedback_in_ms(r);

    return timeout_ms < 0 || due < timeout_ms ? due : timeout_ms;
}

/* Nothing more can be stored: tries again to write what is in memory, and waits a little. */
static bool step_full(struct receiver *r, int timeout_ms, int extra_fd, struct err *err)
{
    struct pollfd fds[2] = {{.fd = extra_fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};

    if (!sync_now(r, err) || !feedback_turn(r, err))
        return false;
    spool_full_reason(r->writer, r->full_reason, sizeof r->full_reason);
    r->full = r->full_reason[0] != '\0';
    if (!r->full)
        return true;
    int wait = wait_ms(r, timeout_ms);
    if (poll(fds, 2, wait < FULL_MS ? wait : FULL_MS) < 0 && errno != EINTR) {
        err_errno(err, "could not wait");
        return false;
    }
    return !stop_check(err);
}

bool receiver_step(struct receiver *r, int timeout_ms, int extra_fd, struct err *err)
{
    int count;

    if (r->full || spool_is_full(r->writer))
        return step_full(r, timeout_ms, extra_fd, err);
    if (!drain(r, &count, err) || !spool_turn(r, count == 0, err) || !feedback_turn(r, err))
        return false;
    if (count > 0) {
        struct timespec gather = {.tv_nsec = GATHER_US * 1000};
        nanosleep(&gather, NULL);
        return !stop_check(err);
    }
    return repl_next(&r->conn, &r->msg, wait_ms(r, timeout_ms), extra_fd, err) &&
           (r->msg.kind == REPL_NONE || handle(r, err));
}
