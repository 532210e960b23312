/* How it works: COPY (SELECT ... FROM pg_logical_slot_peek_binary_changes(...)) TO STDOUT, in binary.
 *
 * - The server puts a whole piece into a tuplestore before the first row comes (in memory up to work_mem,
 *   then in temporary files), so a piece is bounded by bytes of WAL and by changes. It ends between
 *   transactions always: the function looks at its limits after each WAL record, and a transaction
 *   comes out at its commit record. One transaction alone may be larger than the bound; then the
 *   server's temp_file_limit decides, and what does not fit is left to the stream.
 * - Each piece is decoded from restart_lsn on, which moves only with the WAL's records of running transactions
 *   (every 15 s, and at checkpoints). A piece is at least as long as what lies between restart_lsn and the
 *   slot's position, so that no more is decoded again than is new, until the largest size is reached; from
 *   there on this much decoding again is borne, and no more than RESCAN_MOST times. */
#include "cdc/catchup.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define PIECE_MOST (INT64_C(512) << 20)
#define PIECE_ROWS 2000000
#define RESCAN_MOST 3
#define TEMP_FILE_LIMIT "2GB"

static const char signature[] = "PGCOPY\n\377\r\n"; /* its NUL belongs to it */
#define HEADER_BYTES (sizeof signature + 8)           /* and flags, length of the extension */
#define ROW_BYTES 18                                  /* column count, 4 + 8 of the LSN, length of the data */

bool catchup_measure(struct conn *c, const char *slot, struct catchup_place *place, struct err *err)
{
    PGresult *res = conn_exec_params(c, sql_slot_backlog, 1, &slot, err);

    if (!res)
        return false;
    *place = (struct catchup_place){0};
    bool ok = PQntuples(res) == 1;
    if (!ok)
        err_set(err, ERR_PREREQUISITE, "%s: replication slot \"%s\" does not exist any more",
                c->label, slot);
    ok = ok && lsn_parse(PQgetvalue(res, 0, 0), &place->confirmed_lsn) &&
         lsn_parse(PQgetvalue(res, 0, 1), &place->restart_lsn) &&
         lsn_parse(PQgetvalue(res, 0, 2), &place->wal_lsn);
    if (!ok && !err_is_set(err))
        err_set(err, ERR_PREREQUISITE, "%s: replication slot \"%s\" has no position", c->label, slot);
    if (ok) {
        place->now_us = atoll(PQgetvalue(res, 0, 3));
        place->allowed = PQgetvalue(res, 0, 4)[0] == 't';
    }
    PQclear(res);
    return ok;
}

lsn_t catchup_piece_end(const struct catchup_place *place, lsn_t from_lsn, int64_t threshold,
                        int64_t least)
{
    uint64_t left = place->wal_lsn > from_lsn ? place->wal_lsn - from_lsn : 0;
    uint64_t again = from_lsn > place->restart_lsn ? from_lsn - place->restart_lsn : 0;
    uint64_t size = again < PIECE_MOST ? again : PIECE_MOST;

    if (!place->allowed || left < (uint64_t)threshold || again > RESCAN_MOST * PIECE_MOST)
        return LSN_INVALID;
    if (size < (uint64_t)least)
        size = (uint64_t)least;
    return from_lsn + (size < left ? size : left);
}

/* COPY takes no parameters: the values become literals. */
static void add_statement(struct buf *sql, const char *slot, const char *publications, lsn_t end_lsn,
                          int version)
{
    char lsn[LSN_TEXT_SIZE];

    buf_addstr(sql, "COPY (SELECT lsn, data FROM pg_catalog.pg_logical_slot_peek_binary_changes(");
    literal_add(sql, slot);
    buf_addf(sql, ", '%s', %d, 'proto_version', '1', 'publication_names', ", lsn_format(end_lsn, lsn),
             PIECE_ROWS);
    literal_add(sql, publications);
    buf_addf(sql, "%s)) TO STDOUT (FORMAT binary)", version >= 140000 ? ", 'messages', 'true'" : "");
}

bool catchup_begin(struct catchup *c, struct conn *conn, const char *slot, const char *publications,
                   lsn_t end_lsn, struct err *err)
{
    struct buf sql = BUF_INIT;

    *c = (struct catchup){.conn = conn};
    add_statement(&sql, slot, publications, end_lsn, conn->version);
    bool ok = PQsendQuery(conn->pg, sql.data);
    if (!ok)
        conn_error(conn, NULL, sql.data, err);
    buf_release(&sql);
    ok = ok && conn_flush(conn, err);
    if (ok)
        c->end_lsn = end_lsn;
    return ok;
}

void catchup_bound(struct conn *conn)
{
    struct err why = ERR_INIT;

    /* Never a looser limit than the administrator's. */
    if (!conn_command(conn, "SELECT pg_catalog.set_config('temp_file_limit', '" TEMP_FILE_LIMIT "', false) "
                      "WHERE pg_catalog.current_setting('temp_file_limit') = '-1'", &why))
        log_msg(LOG_DEBUG, "temporary files of a catch-up are bounded by the server alone: %s", why.message);
    err_clear(&why);
}

static uint64_t get_int(const char *at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static void piece_over(struct catchup *c)
{
    if (c->raw)
        PQfreemem(c->raw);
    c->raw = NULL;
    c->end_lsn = LSN_INVALID;
}

static enum catchup_got malformed(struct catchup *c, struct err *err)
{
    err_set(err, ERR_PROTOCOL, "%s: unexpected data in a binary COPY of a slot's changes", c->conn->label);
    piece_over(c);
    return CATCHUP_ERROR;
}

/* One message of the COPY: the file header may stand in front of the first row, or of the trailer. */
static enum catchup_got take_row(struct catchup *c, size_t size, lsn_t *lsn, const char **data,
                                 size_t *len, struct err *err)
{
    const char *at = c->raw;

    if (!c->header_read) {
        if (size < HEADER_BYTES || memcmp(at, signature, sizeof signature) != 0 ||
            get_int(at + HEADER_BYTES - 4, 4) != 0)
            return malformed(c, err);
        at += HEADER_BYTES;
        size -= HEADER_BYTES;
        c->header_read = true;
    }
    if (size == 0 || (size == 2 && get_int(at, 2) == 0xffff))
        return CATCHUP_NOTHING;
    if (size < ROW_BYTES || get_int(at, 2) != 2 || get_int(at + 2, 4) != 8 ||
        get_int(at + 14, 4) != size - ROW_BYTES)
        return malformed(c, err);
    *lsn = get_int(at + 6, 8);
    *data = at + ROW_BYTES;
    *len = size - ROW_BYTES;
    c->rows++;
    return CATCHUP_MESSAGE;
}

/* The result in front of the rows (want PGRES_COPY_OUT) or behind them. */
static bool take_result(struct catchup *c, ExecStatusType want, struct err *err)
{
    PGresult *res;

    if (!conn_next_result(c->conn, &res, err))
        return false;
    bool ok = PQresultStatus(res) == want;
    if (!ok)
        conn_error(c->conn, res, NULL, err);
    PQclear(res);
    if (ok && want == PGRES_COPY_OUT)
        return true;
    /* Nothing more may follow: the connection is idle then. */
    for (res = NULL; conn_next_result(c->conn, &res, NULL) && res; PQclear(res))
        ;
    return ok;
}

static enum catchup_got fail(struct catchup *c)
{
    piece_over(c);
    return CATCHUP_ERROR;
}

static enum catchup_got end_piece(struct catchup *c, struct err *err)
{
    if (!take_result(c, PGRES_COMMAND_OK, err))
        return fail(c);
    c->whole = c->rows < PIECE_ROWS;
    piece_over(c);
    return CATCHUP_END;
}

/* 1 when there may be something to read, 0 after timeout_ms, -1 error. */
static int wait_input(struct catchup *c, int timeout_ms, int extra_fd, struct err *err)
{
    int ready = conn_wait(c->conn, false, timeout_ms, extra_fd, err);

    if (ready >= 0 && !PQconsumeInput(c->conn->pg)) {
        conn_error(c->conn, NULL, NULL, err);
        return -1;
    }
    return ready;
}

enum catchup_got catchup_next(struct catchup *c, int timeout_ms, int extra_fd, lsn_t *lsn,
                              const char **data, size_t *len, struct err *err)
{
    for (bool waited = false;; waited = true) {
        if (!c->reading && !PQisBusy(c->conn->pg)) {
            if (!take_result(c, PGRES_COPY_OUT, err))
                return fail(c);
            c->reading = true;
        }
        while (c->reading) {
            if (c->raw)
                PQfreemem(c->raw);
            c->raw = NULL;
            int got = PQgetCopyData(c->conn->pg, &c->raw, 1);
            if (got == 0)
                break;
            if (got < 0)
                return end_piece(c, err);
            enum catchup_got what = take_row(c, (size_t)got, lsn, data, len, err);
            if (what != CATCHUP_NOTHING)
                return what;
        }
        if (waited)
            return CATCHUP_NOTHING;
        if (wait_input(c, timeout_ms, extra_fd, err) < 0)
            return fail(c);
    }
}

bool catchup_advance(struct conn *conn, const char *slot, lsn_t lsn, struct err *err)
{
    char text[LSN_TEXT_SIZE];
    const char *values[] = {slot, lsn_format(lsn, text)};

    return conn_command_params(conn, "SELECT pg_catalog.pg_replication_slot_advance($1, $2)", 2, values,
                               err);
}

void catchup_abandon(struct catchup *c)
{
    if (!c->end_lsn)
        return;
    conn_cancel(c->conn);
    piece_over(c);
}
