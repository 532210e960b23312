#include "ui/aside.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/json.h"

static const struct kind {
    const char *what;
    const char *command;
    const char *more[2]; /* options */
    bool is_read;        /* its standard output is wanted, apart from what it says of its progress */
    const char *doing;
    const char *failed;
} kinds[] = {
    {"resume", "resume", {"--json", NULL}, true, "The engine is being started.", "the engine could not be started"},
    {"report", "report", {"--format", "html"}, true, "The report is being made.", "the report could not be made"},
    {"report txt", "report", {"--format", "text"}, true, "The report is being made.", "the report could not be made"},
    {"report json", "report", {"--format", "json"}, true, "The report is being made.", "the report could not be made"},
    {"left", "delete", {"--dry-run", "--json"}, true, "", "what is left could not be read"},
    {"delete", "delete", {NULL, NULL}, false, "The migration is being deleted.", "the migration could not be deleted"},
    {"fallback", "fallback", {NULL, NULL}, false, "Going back: the cutover to the source runs.", "going back has failed"},
};

static const struct kind *find_kind(const char *what)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].what, what) == 0)
            return &kinds[i];
    return NULL;
}

static bool start(struct aside *aside, const struct ui_options *options, const struct kind *kind, const char *name, const char *input,
                  struct err *err)
{
    if (aside->child.pid || !kind) {
        err_set(err, ERR_USAGE, "another command runs beside the screen");
        err_hint(err, "Try again when it has ended.");
        return false;
    }
    const char *argv[] = {options->program,   kind->command, name,          "--state-dir",
                          options->state_dir, kind->more[0], kind->more[1], NULL, NULL};
    if (input)
        argv[kind->more[0] ? 6 : 5] = "--secrets";
    buf_clear(&aside->child.words);
    if (!child_start(&aside->child, argv, input ? input : kind->is_read ? "" : NULL, err))
        return false;
    aside->what = kind->what;
    str_replace(&aside->name, name);
    return true;
}

bool aside_start(struct aside *aside, const struct ui_options *options, const char *what, const char *name, struct err *err)
{
    return start(aside, options, find_kind(what), name, NULL, err);
}

bool aside_resume(struct aside *aside, const struct ui_options *options, const char *name, const char *secrets, struct err *err)
{
    return start(aside, options, find_kind("resume"), name, secrets, err);
}

const char *aside_doing(const struct aside *aside)
{
    return aside->what ? find_kind(aside->what)->doing : "";
}

/* The program's own error stands at the end, behind what it said of its progress. */
static const char *last_words(const char *words)
{
    const char *at = words;

    for (const char *next; (next = strstr(at, "pgcutover: ")); at = next + 1)
        words = next;
    return words;
}

bool aside_end(struct aside *aside, char **text, struct err *err)
{
    const struct kind *kind = find_kind(aside->what);
    bool ok = WIFEXITED(aside->child.status) && WEXITSTATUS(aside->child.status) == 0;
    char *words = buf_take(&aside->child.words);

    aside->what = NULL;
    *text = NULL;
    if (ok) {
        *text = words;
        return true;
    }
    cJSON *json = cJSON_Parse(words); /* of --json */
    if (json_get(json, "error")) {
        err_from_json(err, json_get(json, "error"));
        cJSON_Delete(json);
        free(words);
        return false;
    }
    cJSON_Delete(json);
    err_set(err, ERR_SERVER, "%s", kind->failed);
    if (*words)
        err_detail(err, "%s", last_words(words));
    free(words);
    return false;
}

void aside_release(struct aside *aside)
{
    child_release(&aside->child);
    free(aside->name);
    *aside = (struct aside){0};
}
