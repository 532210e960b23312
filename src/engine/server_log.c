#include "engine/server_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/fix_store.h"
#include "engine/host.h"

/* With the collector the server knows its file, beside its data; else it is what the postmaster's standard error leads to. */
static char *from_server(struct conn *c)
{
    char *file = NULL;

    if (c->version >= 100000)
        conn_scalar(c, "SELECT CASE WHEN f ~ '^/' THEN f ELSE pg_catalog.current_setting('data_directory') || '/' || f END "
                       "FROM pg_catalog.pg_current_logfile() AS f WHERE f IS NOT NULL", 0, NULL, &file, NULL);
    return file;
}

static char *from_host(struct conn *c, const struct plan *plan, enum conn_side side)
{
    struct host host = HOST_INIT;
    struct buf out = BUF_INIT;
    char *data = NULL, *file = NULL;

    if (conn_scalar(c, "SHOW data_directory", 0, NULL, &data, NULL) && data && host_open(&host, plan, side, NULL)) {
        char *pid_file = xasprintf("%s/postmaster.pid", data), *quoted = host_quote(pid_file);
        if (host_runf(&host, &out, NULL, "readlink -- /proc/\"$(head -n 1 -- %s)\"/fd/2", quoted) && out.len && *out.data == '/') {
            out.data[strcspn(out.data, "\n")] = '\0';
            file = strncmp(out.data, "/dev/", 5) == 0 ? NULL : xstrdup(out.data);
        }
        free(pid_file);
        free(quoted);
    }
    host_close(&host);
    buf_release(&out);
    free(data);
    return file;
}

void server_log_note(cJSON *entry, const struct plan *plan, enum conn_side side, struct conn *c)
{
    char *file = from_server(c);

    if (!file)
        file = from_host(c, plan, side);
    json_add_str(entry, "logFile", file);
    free(file);
}

char *server_log_end(const char *state_dir, const struct plan *plan, enum conn_side side,
                     void (*show)(void *arg, const char *host, const char *command), void *arg)
{
    cJSON *entries = fix_store_read(state_dir, plan->name, NULL);
    struct host host = {.show = show, .arg = arg};
    struct buf out = BUF_INIT;
    const char *file = NULL;
    const cJSON *entry;

    cJSON_ArrayForEach(entry, entries)
    {
        const char *is = json_str(entry, "side");
        if (is && strcmp(is, side_name(side)) == 0 && json_str(entry, "logFile"))
            file = json_str(entry, "logFile");
    }
    bool ok = file && host_open(&host, plan, side, NULL);
    if (ok) {
        char *quoted = host_quote(file);
        ok = host_runf(&host, &out, NULL, "tail -n 10 -- %s", quoted);
        free(quoted);
    }
    char *text = ok && out.len ? xasprintf("The last lines of \"%s\":\n%s", file, out.data) : NULL;
    host_close(&host);
    cJSON_Delete(entries);
    buf_release(&out);
    return text;
}
