#include "pg/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/record.h"
#include "pg/statement.h"

#define RECORDED_MAX 65536 /* bytes of a statement's text */

static void record_statement(struct conn *c, const char *sql, int64_t began_us, const char *sqlstate)
{
    cJSON *line = cJSON_CreateObject();
    char *text = statement_without_secrets(sql);
    size_t len = strlen(text);

    if (len > RECORDED_MAX)
        snprintf(text + RECORDED_MAX - 64, 64, "... (%zu bytes in all)", len);
    json_add_str(line, "side", side_name(c->side));
    json_add_str(line, "server", c->label + strlen(side_name(c->side)) + 1);
    json_add_num(line, "session", PQbackendPID(c->pg));
    json_add_str(line, "sql", text);
    json_add_num(line, "us", (double)(clock_mono_us() - began_us));
    json_add_str(line, "sqlstate", sqlstate && *sqlstate ? sqlstate : NULL);
    record_add("statement", line);
    free(text);
}

/* What the open transaction did is undone with it. */
void recording_rolled_back(struct conn *c)
{
    if (c->recorded && record_is_open()) {
        cJSON *line = cJSON_CreateObject();
        json_add_num(line, "session", PQbackendPID(c->pg));
        json_add_num(line, "count", c->recorded);
        record_add("rolled-back", line);
    }
    c->recorded = 0;
}

/* ROLLBACK, and a COMMIT of a transaction that failed, are answered so. */
static bool was_rolled_back(const PGresult *res)
{
    return res && strncmp(PQcmdStatus((PGresult *)res), "ROLLBACK", 8) == 0;
}

/* Values are told where they are few and short: names of slots and the like. */
static char *with_values(const char *sql, int count, const char *const *values)
{
    struct buf out = BUF_INIT;

    buf_addstr(&out, sql);
    for (int i = 0; i < count; i++)
        buf_addf(&out, "%s$%d = %.200s", i ? ", " : "\n-- ", i + 1, values[i] ? values[i] : "NULL");
    return buf_take(&out);
}

void recording_note(struct conn *c, const char *sql, int count, const char *const *values, int64_t began_us,
                    const PGresult *res, const char *sqlstate)
{
    if (!record_is_open())
        return;
    if (was_rolled_back(res))
        recording_rolled_back(c);
    if (statement_changes_server(sql)) {
        char *text = with_values(sql, count, values);
        record_statement(c, text, began_us, sqlstate);
        free(text);
        c->recorded++;
    }
    if (PQtransactionStatus(c->pg) == PQTRANS_IDLE)
        c->recorded = 0;
}
