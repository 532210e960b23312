#include "check/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

#define ERROR_FIX_LINES 3

static const char severities[] = {FINDING_FAIL, FINDING_WARN, FINDING_INFO};

static const char *severity_word(char severity)
{
    return severity == FINDING_FAIL ? "FAIL" : severity == FINDING_WARN ? "warning" : "info";
}

static const char *needs_word(enum finding_needs needs)
{
    static const char *const words[] = {"none", "reload", "restart"};

    return words[needs];
}

void findings_add(struct findings *findings, struct finding finding)
{
    findings->items =
        xgrow(findings->items, findings->count, &findings->cap, sizeof *findings->items);
    findings->items[findings->count++] = finding;
}

void findings_sort(struct findings *findings)
{
    struct finding *sorted = xcalloc(findings->count, sizeof *sorted);
    size_t used = 0;

    for (size_t s = 0; s < sizeof severities; s++)
        for (size_t i = 0; i < findings->count; i++)
            if (findings->items[i].severity == severities[s])
                sorted[used++] = findings->items[i];
    free(findings->items);
    findings->items = sorted;
    findings->cap = findings->count;
}

void findings_release(struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].message);
        free(findings->items[i].why);
        free(findings->items[i].fix);
        free(findings->items[i].undo);
    }
    free(findings->items);
    *findings = (struct findings)FINDINGS_INIT;
}

size_t findings_count(const struct findings *findings, char severity)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].severity == severity && !findings->items[i].waived;
    return count;
}

void findings_waive(struct findings *findings, char *const *ids, size_t count)
{
    for (size_t i = 0; i < findings->count; i++)
        for (size_t k = 0; k < count; k++)
            if (strcmp(findings->items[i].id, ids[k]) == 0)
                findings->items[i].waived = true;
}

static size_t count_waived(const struct findings *findings)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].waived;
    return count;
}

const struct finding *findings_find(const struct findings *findings, const char *id,
                                    enum conn_side side)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].side == side && strcmp(findings->items[i].id, id) == 0)
            return &findings->items[i];
    return NULL;
}

cJSON *findings_to_json(const struct findings *findings)
{
    cJSON *array = cJSON_CreateArray();

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        char severity[2] = {finding->severity, '\0'};
        cJSON *json = cJSON_CreateObject();
        json_add_str(json, "fix", finding->fix);
        json_add_str(json, "id", finding->id);
        cJSON_AddBoolToObject(json, "lasts", finding->lasts);
        json_add_str(json, "message", finding->message);
        json_add_str(json, "needs", needs_word(finding->needs));
        json_add_str(json, "severity", severity);
        json_add_str(json, "side", side_name(finding->side));
        json_add_str(json, "undo", finding->undo);
        cJSON_AddBoolToObject(json, "waived", finding->waived);
        json_add_str(json, "why", finding->why);
        cJSON_AddItemToArray(array, json);
    }
    return array;
}

/* "  label  first line", further lines below the first. */
static void add_lines(struct buf *out, const char *label, const char *text)
{
    if (!text)
        return;
    buf_addf(out, "    %-5s", label);
    for (; *text; text++) {
        buf_addch(out, *text);
        if (*text == '\n')
            buf_addstr(out, "         ");
    }
    buf_addch(out, '\n');
}

char *findings_text(const struct findings *findings)
{
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        buf_addf(&out, "%-7s  %s  %-15s  %s\n", finding->waived ? "waived" : severity_word(finding->severity),
                 side_name(finding->side), finding->id, finding->message);
        add_lines(&out, "why", finding->why);
        add_lines(&out, "fix", finding->fix);
        if (finding->fix && finding->needs != NEEDS_NONE)
            buf_addf(&out, "         (then %s the server)\n", needs_word(finding->needs));
        add_lines(&out, "undo", finding->undo);
    }
    buf_addf(&out, "%zu to be fixed, %zu warnings, %zu for information",
             findings_count(findings, FINDING_FAIL), findings_count(findings, FINDING_WARN),
             findings_count(findings, FINDING_INFO));
    if (count_waived(findings))
        buf_addf(&out, ", %zu waived", count_waived(findings));
    buf_addch(&out, '\n');
    return buf_take(&out);
}

/* The first lines of a fix, as one. */
static void add_one_line(struct buf *out, const char *fix)
{
    int lines = 1;

    buf_addstr(out, " Fix: ");
    for (; *fix && lines <= ERROR_FIX_LINES; fix++) {
        lines += *fix == '\n';
        buf_addch(out, *fix == '\n' ? ' ' : *fix);
    }
    if (*fix)
        buf_addstr(out, "...");
}

bool findings_error(const struct findings *findings, struct err *err)
{
    size_t failures = findings_count(findings, FINDING_FAIL);
    struct buf detail = BUF_INIT;

    if (!failures)
        return false;
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        if (finding->severity != FINDING_FAIL || finding->waived)
            continue;
        buf_addf(&detail, "%s%s (%s): %s.", detail.len ? "\n" : "", finding->id,
                 side_name(finding->side), finding->message);
        if (finding->fix)
            add_one_line(&detail, finding->fix);
        if (finding->needs != NEEDS_NONE)
            buf_addf(&detail, " (then %s the server)", needs_word(finding->needs));
    }
    err_set(err, ERR_PREREQUISITE, failures == 1 ? "%zu prerequisite is not met"
                                                 : "%zu prerequisites are not met", failures);
    err_detail(err, "%s", detail.data);
    err_hint(err, "Nothing was changed on either server. Fix these and start again.");
    buf_release(&detail);
    return true;
}
