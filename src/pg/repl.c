#include "pg/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "pg/ident.h"

const char *repl_plugin(const struct conn *c)
{
    return c->version >= 100000 ? "pgoutput" : "test_decoding";
}

/* Before 10 a snapshot is always exported, and there are no temporary slots. */
static const char *export_option(const struct conn *c)
{
    return c->version >= 150000 ? " (SNAPSHOT 'export')" : c->version >= 100000 ? " EXPORT_SNAPSHOT" : "";
}

bool repl_create_slot(struct conn *c, const char *name, bool temporary, struct repl_slot *slot,
                      struct err *err)
{
    char *sql = xasprintf("CREATE_REPLICATION_SLOT \"%s\"%s LOGICAL \"%s\"%s", name,
                          temporary ? " TEMPORARY" : "", repl_plugin(c), export_option(c));
    PGresult *res = conn_exec(c, sql, err);
    bool ok = false;

    if (!res)
        goto out;
    if (PQntuples(res) != 1 || PQnfields(res) < 3 ||
        !lsn_parse(PQgetvalue(res, 0, 1), &slot->consistent_lsn)) {
        err_set(err, ERR_PROTOCOL, "%s: unexpected answer to CREATE_REPLICATION_SLOT", c->label);
        goto out;
    }
    snprintf(slot->name, sizeof slot->name, "%s", name);
    slot->snapshot = xstrdup(PQgetvalue(res, 0, 2));
    ok = true;
out:
    PQclear(res);
    free(sql);
    return ok;
}

void repl_slot_release(struct repl_slot *slot)
{
    free(slot->snapshot);
    slot->snapshot = NULL;
}

static void add_pgoutput_options(const struct conn *c, const char *publications, bool streaming,
                                 struct buf *sql)
{
    buf_addf(sql, "(proto_version '%d', publication_names '", streaming ? 2 : 1);
    /* The replication grammar knows only '' inside literals. */
    for (const char *at = publications; *at; at++) {
        if (*at == '\'')
            buf_addch(sql, '\'');
        buf_addch(sql, *at);
    }
    buf_addf(sql, "'%s%s)", c->version >= 140000 ? ", messages 'true'" : "",
             streaming ? ", streaming 'on'" : "");
}

bool repl_start(struct conn *c, const char *slot, lsn_t from, const char *publications,
                bool streaming, struct err *err)
{
    struct buf sql = BUF_INIT;
    char lsn[LSN_TEXT_SIZE];

    streaming = streaming && c->version >= 140000;
    buf_addf(&sql, "START_REPLICATION SLOT \"%s\" LOGICAL %s ", slot, lsn_format(from, lsn));
    if (c->version < 100000)
        buf_addstr(&sql, "(\"include-xids\" 'true', \"include-timestamp\" 'true')");
    else
        add_pgoutput_options(c, publications, streaming, &sql);
    PGresult *res = conn_exec(c, sql.data, err);
    bool ok = res && PQresultStatus(res) == PGRES_COPY_BOTH;
    if (res && !ok)
        err_set(err, ERR_PROTOCOL, "%s: replication did not start", c->label);
    PQclear(res);
    buf_release(&sql);
    return ok;
}

static uint64_t get_u64(const char *at)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static bool parse(struct conn *c, struct repl_msg *msg, int len, struct err *err)
{
    const char *raw = msg->raw;

    if (raw[0] == 'w' && len >= 25) {
        msg->kind = REPL_DATA;
        msg->start_lsn = get_u64(raw + 1);
        msg->end_lsn = get_u64(raw + 9);
        msg->sent_us = (int64_t)get_u64(raw + 17) + PG_EPOCH_US;
        msg->data = raw + 25;
        msg->len = len - 25;
        return true;
    }
    if (raw[0] == 'k' && len >= 18) {
        msg->kind = REPL_KEEPALIVE;
        msg->end_lsn = get_u64(raw + 1);
        msg->sent_us = (int64_t)get_u64(raw + 9) + PG_EPOCH_US;
        msg->reply_requested = raw[17] != 0;
        return true;
    }
    err_set(err, ERR_PROTOCOL, "%s: unknown replication message of kind 0x%02x, %d bytes", c->label,
            (unsigned char)raw[0], len);
    return false;
}

/* The stream has ended: an error result, or CommandComplete after a shutdown in good order. */
static bool ended(struct conn *c, struct repl_msg *msg, struct err *err)
{
    PGresult *res;

    if (!conn_next_result(c, &res, err))
        return false;
    ExecStatusType status = PQresultStatus(res);
    if (res && status != PGRES_COMMAND_OK && status != PGRES_COPY_IN) {
        conn_error(c, res, NULL, err);
        PQclear(res);
        return false;
    }
    PQclear(res);
    msg->kind = REPL_END;
    return true;
}

bool repl_next(struct conn *c, struct repl_msg *msg, int timeout_ms, int extra_fd, struct err *err)
{
    bool waited = false;

    repl_msg_release(msg);
    for (;;) {
        int got = PQgetCopyData(c->pg, &msg->raw, 1);
        if (got > 0)
            return parse(c, msg, got, err);
        if (got == -1)
            return ended(c, msg, err);
        if (got == -2) {
            conn_error(c, NULL, NULL, err);
            return false;
        }
        if (waited)
            return true;
        int ready = conn_wait(c, false, timeout_ms, extra_fd, err);
        if (ready < 0)
            return false;
        if (!PQconsumeInput(c->pg)) {
            conn_error(c, NULL, NULL, err);
            return false;
        }
        waited = true;
    }
}

void repl_msg_release(struct repl_msg *msg)
{
    if (msg->raw)
        PQfreemem(msg->raw);
    *msg = (struct repl_msg)REPL_MSG_INIT;
}

bool repl_feedback(struct conn *c, lsn_t write_lsn, lsn_t flush_lsn, lsn_t apply_lsn,
                   bool request_reply, struct err *err)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'r');
    buf_put_u64(&out, write_lsn);
    buf_put_u64(&out, flush_lsn);
    buf_put_u64(&out, apply_lsn);
    buf_put_u64(&out, (uint64_t)(clock_wall_us() - PG_EPOCH_US));
    buf_addch(&out, (char)request_reply);
    bool ok = PQputCopyData(c->pg, out.data, (int)out.len) > 0;
    if (!ok)
        conn_error(c, NULL, NULL, err);
    buf_release(&out);
    return ok && conn_flush(c, err);
}
