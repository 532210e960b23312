#include "engine/cutover.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"

/* The last line that is not empty; owned, NULL: none. */
static char *last_line_of(char *text)
{
    char *line = NULL;

    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n"))
        if (at[strspn(at, " \t\r")])
            line = at;
    return line ? xstrdup(line) : NULL;
}

bool cutover_hook(struct work *work, const char *command, int timeout_ms, char **last_line, struct err *err)
{
    char *variables[] = {xasprintf("PGCUTOVER_NAME=%s", work->m->name), xasprintf("PGCUTOVER_DATABASE=%s", work->p->name),
                         xasprintf("PGCUTOVER_TARGET_DATABASE=%s", work->p->target_name),
                         xasprintf("PGCUTOVER_SOURCE=%s", work->p->source_server ? work->p->source_server : ""),
                         xasprintf("PGCUTOVER_TARGET=%s", work->p->target_server ? work->p->target_server : ""), NULL};
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    struct buf out = BUF_INIT, errors = BUF_INIT;
    struct proc_run run = {.argv = argv, .setenv = (const char *const *)variables, .out = &out, .errors = &errors,
                           .timeout_ms = timeout_ms};
    bool ok = !command || proc_run(&run, err);

    if (out.len)
        log_msg(LOG_INFO, "the hook printed: %s", out.data);
    if (errors.len)
        log_msg(ok ? LOG_INFO : LOG_WARNING, "the hook printed on standard error: %s", errors.data);
    if (!ok)
        err_wrap(err, "the hook \"%s\"", command);
    *last_line = ok && out.len ? last_line_of(out.data) : NULL;
    buf_release(&out);
    buf_release(&errors);
    for (size_t i = 0; variables[i]; i++)
        free(variables[i]);
    return ok;
}
