/* report: what a migration did, for a change ticket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "cli/cli.h"
#include "report/report.h"

struct format {
    const char *name;
    char *(*make)(const cJSON *report);
};

static const struct format formats[] = {{"text", report_text}, {"json", json_pretty_sorted}, {"html", report_html}};

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

static const struct format *wanted_format(const struct options *o, struct err *err)
{
    const char *name = o->format ? o->format : o->json ? "json" : "text";
    const struct format *format = find_format(name);

    if (!format)
        err_set(err, ERR_USAGE, "--format takes text, json or html, not \"%s\"", name);
    else if (o->json && strcmp(name, "json") != 0)
        err_set(err, ERR_USAGE, "--json and --format %s do not go together", name);
    return err_is_set(err) ? NULL : format;
}

char *cli_report(const char *state_dir, const char *name, char *(*make)(const cJSON *report), struct err *err)
{
    bool live;
    cJSON *status = cli_fetch_status(state_dir, name, true, &live, err);

    if (!status)
        return NULL;
    char *dir = xasprintf("%s/%s", state_dir, name);
    cJSON *report = report_build(dir, status);
    char *text = make(report);
    cJSON_Delete(report);
    cJSON_Delete(status);
    free(dir);
    return text;
}

static bool put(const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (fwrite(text, 1, len, stdout) == len && (len == 0 || text[len - 1] == '\n' || putchar('\n') != EOF) && fflush(stdout) == 0)
        return true;
    err_errno(err, "could not write the report");
    return false;
}

int cmd_report(const struct options *o)
{
    struct err err = ERR_INIT;
    const struct format *format = wanted_format(o, &err);
    char *state_dir = cli_state_dir(o, NULL);
    char *text = format ? cli_report(state_dir, o->args[0], format->make, &err) : NULL;

    if (text)
        put(text, &err);
    free(text);
    free(state_dir);
    return err_is_set(&err) ? cli_fail(o, &err) : 0;
}
