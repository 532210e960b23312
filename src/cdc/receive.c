/* How it works: a step drains what libpq has, appends it to the spool, lets readers go on, syncs, confirms. Readers do
 * not wait for the disk: what they apply before it is durable here comes again from the source after a crash, and
 * is passed over.
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
 *   reader lets data gather for 100 us while there is traffic; for less where transactions come one by one.
 * - While the spool is full nothing is read, and feedback with the old positions is sent once a second:
 *   for the server's wal_sender_timeout that is as good as answering its keepalives.
 * - A large backlog is fetched by SQL functions (catchup.h), piece by piece: a piece is spooled and synced,
 *   then the slot is moved behind it, then the next one is asked for. The stream takes over when little is left,
 *   and is left again, with no transaction under way, when it has been busy for long and much is waiting.
 *   A piece holds a snapshot on the source, so it is given up when the spool stays full.
 * - From 14 on large transactions come in parts before they commit (spool.h), so that neither side holds them.
 *   Servers have bugs there: 15, for one, cannot decode a transaction that changed a table in a
 *   subtransaction that was rolled back, and changes it again ("could not map filenode"), while it can once
 *   that has committed. So after an internal error of the server all is asked for at its commit. */
#include "cdc/receive.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/units.h"
#include "cdc/segment.h"
#include "sql/sql.h"

#define DRAIN_MS 10
#define DRAIN_BYTES (1 << 20)
#define GATHER_US 100
#define GATHER_CALM_US 20
#define CALM_MESSAGES 64 /* a drain that brings fewer: transactions come one by one, and somebody may wait for each */
#define TELL_MS 10 /* readers learn of what has come, while the stream does not pause */
#define TELL_BYTES (1 << 20)
#define TELL_BEHIND_MS 500
#define SYNC_MS 20
#define SYNC_BEHIND_MS 500
#define SYNC_BYTES (16 << 20)
#define FEEDBACK_MS 1000
#define FEEDBACK_SOON_MS 100
#define MARK_MS 10000
#define FULL_MS 200
#define OFFSET_MS 60000
#define CATCHUP_BYTES (INT64_C(64) << 20) /* a piece has half of it; below a quarter the stream goes on */
#define CATCHUP_CHECK_MS 10000
#define SLOT_WAIT_MS 10000  /* for the session that had the slot to end */
#define SLOT_RETRY_MS 50

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

/* The one of a connection that broke without a word, which would keep the slot from us. */
static bool end_dead_sender(struct conn *c, const char *slot, struct err *err)
{
    if (c->version < 120000)
        return true;
    PGresult *res = conn_exec_params(c, sql_slot_end_dead, 1, &slot, err);
    bool ok = res != NULL;

    if (ok && PQntuples(res) > 0)
        log_msg(LOG_INFO, "%s: ended the WAL sender %s, which served a connection that was lost",
                c->label, PQgetvalue(res, 0, 0));
    PQclear(res);
    return ok;
}

static bool open_sql(struct receiver *r, struct err *err)
{
    struct conn_options how = {.side = SIDE_SOURCE,
                               .profile = CONN_READER,
                               .role = "receive",
                               .dbname = r->options.dbname};

    return conn_is_open(&r->sql) || conn_open(&r->sql, &r->source, &how, err);
}

static bool open_spool(struct receiver *r, lsn_t confirmed, struct err *err)
{
    struct spool_options how = {.segment_bytes = r->options.segment_bytes,
                                .limit_bytes = r->options.limit_bytes,
                                .start_lsn = r->options.start_lsn,
                                .confirmed_lsn = confirmed};

    return spool_writer_open(r->options.dir, r->options.identity, &how, &r->writer, err);
}

static bool open_translator(struct receiver *r, struct err *err)
{
    const struct translator_options how = {.source = &r->source,
                                           .dbname = r->options.dbname,
                                           .tables = r->options.tables,
                                           .table_count = r->options.table_count,
                                           .dir = r->options.dir};

    r->translator = translator_new(&how, err);
    return r->translator != NULL;
}

static bool enter_stream(struct receiver *r, struct err *err)
{
    struct conn_options how = {.side = SIDE_SOURCE,
                               .profile = CONN_REPLICATION,
                               .role = "receive",
                               .dbname = r->options.dbname};
    char lsn[LSN_TEXT_SIZE];

    conn_close(&r->sql);
    r->mode = RECEIVER_STREAM;
    r->feedback_ms = r->mark_ms = r->busy_since_ms = clock_mono_ms();
    if (!conn_open(&r->conn, &r->source, &how, err) ||
        (r->conn.version < 100000 && !open_translator(r, err)) ||
        !repl_start(&r->conn, r->options.slot, spool_end(r->writer).lsn, r->options.publications,
                    !r->no_parts, err))
        return false;
    log_msg(LOG_INFO, "%s: receiving the stream from %s on", r->conn.label,
            lsn_format(spool_end(r->writer).lsn, lsn));
    return true;
}

static void take_boundary(struct receiver *r)
{
    r->boundary = spool_readable(r->writer);
    r->synced_lsn = spool_synced(r->writer).lsn;
    if (r->received_lsn < r->boundary.lsn)
        r->received_lsn = r->boundary.lsn;
}

static void copy_options(struct receiver *r, const struct receiver_options *options)
{
    r->options = *options;
    conninfo_copy(&r->source, options->source);
    r->options.source = &r->source;
    r->options.dbname = options->dbname ? xstrdup(options->dbname) : NULL;
    r->options.slot = xstrdup(options->slot);
    r->options.publications = xstrdup(options->publications);
    r->options.dir = xstrdup(options->dir);
    r->options.identity = xstrdup(options->identity);
    if (!options->catchup_bytes)
        r->options.catchup_bytes = CATCHUP_BYTES;
    if (!options->catchup_check_ms)
        r->options.catchup_check_ms = CATCHUP_CHECK_MS;
}

static void release_options(struct receiver *r)
{
    free((char *)r->options.dbname);
    free((char *)r->options.slot);
    free((char *)r->options.publications);
    free((char *)r->options.dir);
    free((char *)r->options.identity);
    conninfo_release(&r->source);
    r->options = (struct receiver_options){0};
}

static void note_clock(struct receiver *r, int64_t sent_us);

/* Looks at the slot by SQL. */
static bool measure(struct receiver *r, struct err *err)
{
    r->measured_ms = clock_mono_ms();
    if (!open_sql(r, err) || !catchup_measure(&r->sql, r->options.slot, &r->place, err))
        return false;
    note_clock(r, r->place.now_us);
    return true;
}

static bool may_catch_up(const struct receiver *r, int version)
{
    return version >= CATCHUP_MIN_VERSION && r->options.catchup_bytes > 0 && !r->no_catch_up;
}

static bool much_is_waiting(struct receiver *r)
{
    return catchup_piece_end(&r->place, spool_end(r->writer).lsn, r->options.catchup_bytes,
                             r->options.catchup_bytes / 2) != LSN_INVALID;
}

static void enter_catch_up(struct receiver *r)
{
    char bytes[32];

    conn_close(&r->conn);
    r->mode = RECEIVER_CATCH_UP;
    r->slot_wait_ms = clock_mono_ms();
    catchup_bound(&r->sql);
    units_bytes((int64_t)(r->place.wal_lsn - spool_end(r->writer).lsn), bytes, sizeof bytes);
    log_msg(LOG_INFO, "%s: %s of WAL behind: catching up in pieces, by SQL functions", r->sql.label, bytes);
}

static bool enter_mode(struct receiver *r, struct err *err)
{
    if (may_catch_up(r, r->sql.version)) {
        if (!measure(r, err))
            return false;
        if (much_is_waiting(r)) {
            enter_catch_up(r);
            return true;
        }
    }
    return enter_stream(r, err);
}

bool receiver_open(struct receiver *r, const struct receiver_options *options, struct err *err)
{
    lsn_t confirmed = LSN_INVALID;

    *r = (struct receiver)RECEIVER_INIT;
    copy_options(r, options);
    if (!open_sql(r, err) || !check_slot(&r->sql, options->slot, &confirmed, err) ||
        !end_dead_sender(&r->sql, options->slot, err) ||
        !open_spool(r, confirmed, err) || !enter_mode(r, err)) {
        receiver_close(r);
        return false;
    }
    take_boundary(r);
    r->base_changes = spool_changes(r->writer);
    r->confirmed_lsn = confirmed;
    r->server_lsn = r->received_lsn;
    r->options.tables = NULL; /* the caller's; the translator has its copy */
    return true;
}

void receiver_close(struct receiver *r)
{
    catchup_abandon(&r->catchup);
    repl_msg_release(&r->msg);
    conn_close(&r->conn);
    conn_close(&r->sql);
    translator_free(r->translator);
    r->translator = NULL;
    spool_writer_close(r->writer);
    r->writer = NULL;
    release_options(r);
}

const char *receiver_mode_name(enum receiver_mode mode)
{
    return mode == RECEIVER_CATCH_UP ? "catch-up" : "stream";
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

static void count_message(struct receiver *r, const char *data, size_t len)
{
    struct segment_peek peek;

    r->messages++;
    r->bytes += (int64_t)len;
    r->untold_bytes += (int64_t)len;
    if ((data[0] != 'C' && data[0] != 'c') || !segment_peek(data, len, &peek))
        return;
    r->transactions++;
    r->changes = spool_changes(r->writer) - r->base_changes;
    r->last_commit_us = peek.commit_us;
}

bool receiver_in_transaction(const struct receiver *r)
{
    return spool_in_transaction(r->writer) || (r->translator && translator_is_inside(r->translator));
}

struct spool_position receiver_readable(const struct receiver *r, bool *ahead, int64_t *changes)
{
    struct spool_position place;
    int64_t before;

    *changes = r->changes;
    *ahead = spool_ahead(r->writer, &place, &before);
    if (!*ahead)
        return r->boundary;
    *changes = before - r->base_changes;
    return place;
}

/* The one place where what the source says becomes what the spool holds, whatever way it came. */
static bool handle_data(struct receiver *r, lsn_t lsn, const char *data, size_t len, struct err *err)
{
    if (!spool_append(r->writer, lsn, data, len, err))
        return false;
    count_message(r, data, len);
    lsn_t end = spool_end(r->writer).lsn;
    if (r->received_lsn < end)
        r->received_lsn = end;
    if (!r->untold_since_ms && !spool_in_transaction(r->writer))
        r->untold_since_ms = clock_mono_ms();
    return true;
}

static bool has_translated(const struct receiver *r)
{
    return r->translator && translator_is_whole(r->translator);
}

/* Stores what the translator has to give: a transaction of any size, so only a part of it at a time. */
static bool store_translated(struct receiver *r, struct err *err)
{
    struct translated message;
    int64_t bytes = r->bytes;
    int got = 1;

    while (got > 0 && r->bytes - bytes < DRAIN_BYTES) {
        got = translator_next(r->translator, &message, err);
        if (got < 0 || (got > 0 && !handle_data(r, message.lsn, message.data, message.len, err)))
            return false;
    }
    return true;
}

static bool handle_message(struct receiver *r, const struct repl_msg *msg, struct err *err)
{
    if (!r->translator)
        return handle_data(r, msg->start_lsn, msg->data, (size_t)msg->len, err);
    return translator_take(r->translator, msg, err) && store_translated(r, err);
}

static void handle_keepalive(struct receiver *r, const struct repl_msg *msg)
{
    note_clock(r, msg->sent_us);
    if (!receiver_in_transaction(r) && r->received_lsn < msg->end_lsn)
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
        return handle_message(r, msg, err);
    if (msg->kind == REPL_KEEPALIVE)
        handle_keepalive(r, msg);
    return true;
}

/* Takes messages until none is there, or for long enough. *count says how many. */
static bool drain(struct receiver *r, int *count, struct err *err)
{
    int64_t until = clock_mono_ms() + DRAIN_MS;
    int64_t bytes = r->bytes;

    if (has_translated(r)) {
        *count = 1;
        return store_translated(r, err);
    }
    for (*count = 0; r->bytes - bytes < DRAIN_BYTES && !has_translated(r); ++*count) {
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
        if (spool_is_full(r->writer))
            return true;
    }
    return true;
}

/* Lets readers go as far as the spool goes. */
static bool write_now(struct receiver *r, struct err *err)
{
    if (!spool_write(r->writer, err))
        return false;
    r->untold_bytes = r->untold_since_ms = 0;
    take_boundary(r);
    return true;
}

static bool sync_now(struct receiver *r, struct err *err)
{
    int64_t began_us = clock_mono_us();

    if (!spool_sync(r->writer, err))
        return false;
    r->synced_ms = clock_mono_ms();
    r->sync_took_us = clock_mono_us() - began_us;
    r->untold_bytes = r->untold_since_ms = 0;
    take_boundary(r);
    return true;
}

/* In how many ms the spool is to be synced; -1: there is nothing to sync. Nothing is received meanwhile, so it is no
 * more than a fifth of the time. */
static int sync_in_ms(const struct receiver *r)
{
    int64_t most = r->mode == RECEIVER_CATCH_UP ? SYNC_BEHIND_MS : SYNC_MS;
    int64_t due;

    if (spool_end(r->writer).lsn <= r->synced_lsn)
        return -1;
    if (most < r->sync_took_us / 250)
        most = r->sync_took_us / 250;
    due = r->synced_ms + most - clock_mono_ms();
    return due < 0 ? 0 : (int)due;
}

/* Does the spool's position lag behind what was received, and is it time to mend that? */
static bool mark_is_due(const struct receiver *r, int64_t now)
{
    lsn_t end = spool_end(r->writer).lsn;

    if (receiver_in_transaction(r) || r->received_lsn <= end)
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
    bool pending = r->untold_since_ms != 0;
    bool behind = r->mode == RECEIVER_CATCH_UP; /* nobody waits for the last change then */
    if (sync_in_ms(r) == 0 || spool_unsynced_bytes(r->writer) >= SYNC_BYTES)
        return sync_now(r, err);
    if (pending && (idle || (!behind && r->untold_bytes >= TELL_BYTES) ||
                    now - r->untold_since_ms >= (behind ? TELL_BEHIND_MS : TELL_MS)))
        return write_now(r, err);
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
    if (r->mode != RECEIVER_STREAM || feedback_in_ms(r) > 0)
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
    int due = r->mode == RECEIVER_STREAM ? feedback_in_ms(r) : FEEDBACK_MS;
    int sync = sync_in_ms(r);

    if (sync >= 0 && sync < due)
        due = sync;
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

/* What the spool holds of transactions that are not whole is forgotten, for a new beginning at its end. */
static bool open_spool_again(struct receiver *r, struct err *err)
{
    spool_writer_close(r->writer);
    r->writer = NULL;
    if (!open_spool(r, r->confirmed_lsn, err))
        return false;
    r->changes = spool_changes(r->writer) - r->base_changes;
    r->untold_bytes = r->untold_since_ms = 0;
    take_boundary(r);
    r->received_lsn = r->synced_lsn; /* what came behind it was forgotten, and is not covered */
    return true;
}

/* Catching up */

/* The spool stays full in the middle of a piece: forgets the piece, whose rest would keep a snapshot on the
 * source for as long, and waits in the stream, which begins with the transaction that was cut. */
static bool give_piece_up(struct receiver *r, struct err *err)
{
    log_msg(LOG_INFO, "%s: the spool is full: going over to the stream", r->sql.label);
    catchup_abandon(&r->catchup);
    conn_close(&r->sql);
    return open_spool_again(r, err) && enter_stream(r, err);
}

/* What the server refuses to do by functions it does in a stream; a slot that is not free yet will be. */
static bool piece_failed(struct receiver *r, struct err *err)
{
    struct err why = ERR_INIT;
    bool refused = strncmp(err->sqlstate, "53", 2) == 0 || strcmp(err->sqlstate, "42501") == 0;

    if (strcmp(err->sqlstate, "55006") == 0 && clock_mono_ms() - r->slot_wait_ms < SLOT_WAIT_MS) {
        err_clear(err);
        return stop_sleep(SLOT_RETRY_MS, err);
    }
    if (!refused || !conn_is_open(&r->sql) || spool_in_transaction(r->writer))
        return false;
    err_move(&why, err);
    log_msg(LOG_WARNING, "catching up by SQL functions failed, the stream is used: %s", why.message);
    err_clear(&why);
    r->no_catch_up = true;
    return enter_stream(r, err);
}

/* Moves the slot to where the spool is durable; a piece begins where the slot stands. */
static bool slot_follows(struct receiver *r, struct err *err)
{
    if (!measure(r, err))
        return false;
    if (r->place.confirmed_lsn < r->synced_lsn &&
        (!catchup_advance(&r->sql, r->options.slot, r->synced_lsn, err) || !measure(r, err)))
        return false;
    r->confirmed_lsn = r->place.confirmed_lsn;
    r->server_lsn = r->place.wal_lsn;
    return true;
}

static bool next_piece(struct receiver *r, struct err *err)
{
    lsn_t from = spool_end(r->writer).lsn;

    if (!slot_follows(r, err))
        return piece_failed(r, err);
    int64_t most = r->options.catchup_bytes;
    lsn_t end = catchup_piece_end(&r->place, from, most / 4, most / 2);
    if (end == LSN_INVALID || r->place.confirmed_lsn != from)
        return enter_stream(r, err);
    return catchup_begin(&r->catchup, &r->sql, r->options.slot, r->options.publications, end, err);
}

static bool piece_ended(struct receiver *r, lsn_t end, struct err *err)
{
    /* The server's functions go no further than the WAL that was flushed, which is where `end` lies. */
    if (r->catchup.whole && spool_end(r->writer).lsn < end && !spool_mark(r->writer, end, err))
        return false;
    if (r->received_lsn < end && r->catchup.whole)
        r->received_lsn = end;
    r->slot_wait_ms = clock_mono_ms();
    return sync_now(r, err);
}

/* Takes rows of the piece until none is there, or for long enough. */
static bool drain_piece(struct receiver *r, int timeout_ms, int extra_fd, struct err *err)
{
    int64_t until = clock_mono_ms() + DRAIN_MS;
    int64_t bytes = r->bytes;
    lsn_t lsn, end = r->catchup.end_lsn;
    const char *data;
    size_t len;

    for (int count = 0; r->bytes - bytes < DRAIN_BYTES && !spool_is_full(r->writer); count++) {
        if (count % 64 == 63 && clock_mono_ms() >= until)
            return true;
        switch (catchup_next(&r->catchup, count ? 0 : timeout_ms, extra_fd, &lsn, &data, &len, err)) {
        case CATCHUP_ERROR:
            return piece_failed(r, err);
        case CATCHUP_NOTHING:
            return true;
        case CATCHUP_END:
            return piece_ended(r, end, err);
        case CATCHUP_MESSAGE:
            if (!handle_data(r, lsn, data, len, err))
                return false;
        }
    }
    return true;
}

static bool step_catch_up(struct receiver *r, int timeout_ms, int extra_fd, struct err *err)
{
    r->idle = false;
    if (!r->catchup.end_lsn)
        return next_piece(r, err) && !stop_check(err);
    return drain_piece(r, wait_ms(r, timeout_ms), extra_fd, err) &&
           (r->mode != RECEIVER_CATCH_UP || spool_turn(r, false, err)) && !stop_check(err);
}

/* The stream has been busy for long: is so much waiting that the other way is the faster one? */
static bool look_at_backlog(struct receiver *r, struct err *err)
{
    int64_t now = clock_mono_ms();
    int check_ms = r->options.catchup_check_ms;

    if (now - r->busy_since_ms < check_ms || now - r->measured_ms < check_ms ||
        spool_in_transaction(r->writer) || spool_open_bytes(r->writer) || !may_catch_up(r, r->conn.version))
        return true;
    if (!measure(r, err))
        return false;
    if (!much_is_waiting(r)) {
        conn_close(&r->sql);
        return true;
    }
    if (!sync_now(r, err))
        return false;
    if (r->synced_lsn == spool_end(r->writer).lsn)
        enter_catch_up(r);
    return true;
}

/* An internal error of the server may be one that it makes only with transactions that have not committed. */
static bool stream_failed(struct receiver *r, struct err *err)
{
    struct err why = ERR_INIT;

    if (!err || strncmp(err->sqlstate, "XX", 2) != 0 || r->conn.version < 140000 || r->no_parts)
        return false;
    err_move(&why, err);
    log_msg(LOG_WARNING, "%s; large transactions are received at their commit from now on", why.message);
    err_clear(&why);
    r->no_parts = true;
    repl_msg_release(&r->msg);
    conn_close(&r->conn);
    return open_spool_again(r, err) && enter_stream(r, err);
}

static void gather(int us)
{
    struct timespec time = {.tv_nsec = us * 1000};

    if (us)
        nanosleep(&time, NULL);
}

static bool step_stream(struct receiver *r, int timeout_ms, int extra_fd, struct err *err)
{
    int count;

    if (!drain(r, &count, err))
        return stream_failed(r, err);
    bool calm = count < CALM_MESSAGES;
    if (!spool_turn(r, calm && !receiver_in_transaction(r), err) || !feedback_turn(r, err))
        return false;
    r->idle = count == 0;
    if (count > 0) {
        gather(calm ? receiver_in_transaction(r) ? GATHER_CALM_US : 0 : GATHER_US);
        return look_at_backlog(r, err) && !stop_check(err);
    }
    r->busy_since_ms = clock_mono_ms();
    if (!repl_next(&r->conn, &r->msg, wait_ms(r, timeout_ms), extra_fd, err))
        return stream_failed(r, err);
    return r->msg.kind == REPL_NONE || handle(r, err);
}

bool receiver_step(struct receiver *r, int timeout_ms, int extra_fd, struct err *err)
{
    if (r->full || spool_is_full(r->writer)) {
        if (!r->full_since_ms)
            r->full_since_ms = clock_mono_ms();
        if (r->catchup.end_lsn && clock_mono_ms() - r->full_since_ms > r->options.catchup_check_ms)
            return give_piece_up(r, err);
        return step_full(r, timeout_ms, extra_fd, err);
    }
    r->full_since_ms = 0;
    return r->mode == RECEIVER_CATCH_UP ? step_catch_up(r, timeout_ms, extra_fd, err)
                                        : step_stream(r, timeout_ms, extra_fd, err);
}
