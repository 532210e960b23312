#include "engine/host_disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/units.h"
#include "engine/host.h"

#define TOLD_BYTES (INT64_C(10) << 30) /* smaller databases need no words where there is room */

/* --- df --- */

/* The word before the one that ends in a per cent sign; names of file systems may have blanks. */
static int64_t available(const char *line)
{
    const char *end = line + strcspn(line, "\n");
    const char *last = NULL, *word = line;

    while (word < end) {
        word += strspn(word, " \t");
        size_t len = strcspn(word, " \t\n");
        if (len > 1 && word[len - 1] == '%' && last)
            return strtoll(last, NULL, 10) * 1024;
        last = word;
        word += len;
    }
    return -1;
}

bool disk_free_parse(const char *said, struct disk_free *disk)
{
    const char *first = strchr(said, '\n');
    const char *second = first ? strchr(first + 1, '\n') : NULL;

    *disk = (struct disk_free){-1, -1};
    if (first)
        disk->data = available(first + 1);
    if (second)
        disk->wal = available(second + 1);
    return disk->data >= 0 && disk->wal >= 0;
}

/* --- judging --- */

char *disk_judge_target(const struct disk_free *disk, int64_t bytes, bool existing, char *severity)
{
    int64_t wanted = bytes + bytes / 4;
    char free_text[32], wanted_text[32];

    if (disk->data < 0 || (disk->data >= wanted && bytes < TOLD_BYTES))
        return NULL;
    *severity = disk->data >= wanted ? FINDING_INFO : existing ? FINDING_WARN : FINDING_FAIL;
    units_bytes(disk->data, free_text, sizeof free_text);
    units_bytes(wanted, wanted_text, sizeof wanted_text);
    return xasprintf("the data directory's disk has %s free; the tables take about %s there, indexes and WAL more", free_text, wanted_text);
}

char *disk_judge_source(const struct disk_free *disk, const struct check_measured *measured, int64_t bytes, char *severity)
{
    int64_t load_us = ahead_copy_us(measured, bytes, 1);
    char free_text[32], rate[32], time[32], until[32];

    if (disk->wal < 0 || measured->wal_bps < 1 || ahead_wal_bytes(measured, load_us) < disk->wal / 2)
        return NULL;
    *severity = FINDING_WARN;
    units_bytes(disk->wal, free_text, sizeof free_text);
    units_bytes((int64_t)measured->wal_bps, rate, sizeof rate);
    units_duration(load_us, time, sizeof time);
    units_duration((int64_t)((double)disk->wal / measured->wal_bps * 1e6), until, sizeof until);
    return xasprintf("the WAL directory's disk has %s free; at %s of WAL a second, as now, a slot fills it in %s, and the load takes about %s",
                     free_text, rate, until, time);
}

/* --- looking --- */

static bool directories(struct conn *c, char **data, char **wal, struct err *err)
{
    if (!conn_scalar(c, "SHOW data_directory", 0, NULL, data, err) || !*data)
        return false;
    *wal = xasprintf("%s/%s", *data, c->version >= 100000 ? "pg_wal" : "pg_xlog");
    return true;
}

static bool ask_host(struct preflight *pre, const struct plan *plan, enum conn_side side, const char *data, const char *wal,
                     struct disk_free *disk, struct err *err)
{
    struct host host = {.show = pre->show, .arg = pre->show_arg};
    struct buf out = BUF_INIT;
    char *first = host_quote(data), *second = host_quote(wal);
    bool ok = host_open(&host, plan, side, err);

    if (ok && host.session)
        ok = host_runf(&host, &out, err, "df -Pk -- %s %s", first, second);
    if (ok && host.session)
        disk_free_parse(out.data ? out.data : "", disk);
    else if (ok)
        *disk = (struct disk_free){disk_free_bytes(data), disk_free_bytes(wal)};
    host_close(&host);
    buf_release(&out);
    free(first);
    free(second);
    return ok;
}

static void add(struct preflight *pre, enum conn_side side, char severity, char *message, const char *fix)
{
    static const char why[] = "A disk that runs full stops the server, and everything else that is on it.";

    findings_add(&pre->findings, (struct finding){.id = "host-disk", .severity = severity, .side = side, .message = message,
                                                  .why = xstrdup(why), .fix = fix ? xstrdup(fix) : NULL});
}

static void judge(struct preflight *pre, const struct plan *plan, enum conn_side side, const struct disk_free *disk)
{
    char severity = FINDING_INFO;
    char *text = side == SIDE_TARGET
                     ? disk_judge_target(disk, pre->tables.bytes, plan->schema_mode == SCHEMA_EXISTING, &severity)
                     : disk_judge_source(disk, &pre->measured, pre->tables.bytes, &severity);

    if (text)
        add(pre, side, severity, text, severity == FINDING_INFO ? NULL : side == SIDE_TARGET ? "Make room there, or migrate to a larger disk."
                                     : "Make room there, load over more connections (load.jobs), or when less is written.");
}

static bool check_side(struct preflight *pre, const struct plan *plan, enum conn_side side, struct err *err)
{
    const struct plan_endpoint *endpoint = side == SIDE_SOURCE ? &plan->source : &plan->target;
    struct disk_free disk = {-1, -1};
    char *data = NULL, *wal = NULL;
    struct err own = ERR_INIT;

    if (directories(side == SIDE_SOURCE ? &pre->source : &pre->target, &data, &wal, &own) &&
        ask_host(pre, plan, side, data, wal, &disk, &own))
        judge(pre, plan, side, &disk);
    bool ok = own.code != ERR_STOPPED;
    /* Where there is a way in, it is worth a word that it was of no use; a bastion is none. */
    if (ok && err_is_set(&own) && endpoint->ssh.host && own.code != ERR_USAGE)
        add(pre, side, FINDING_INFO, xasprintf("could not be checked: %s", own.message),
            strcmp(own.sqlstate, "42501") == 0 ? "GRANT pg_read_all_settings, or look yourself." : NULL);
    if (!ok)
        err_move(err, &own);
    err_clear(&own);
    free(data);
    free(wal);
    return ok;
}

bool host_disk_check(struct preflight *pre, const struct plan *plan, struct err *err)
{
    return plan->sync_mode == SYNC_SYNC_ONLY || plan->fallback_of ||
           (check_side(pre, plan, SIDE_SOURCE, err) && check_side(pre, plan, SIDE_TARGET, err));
}
