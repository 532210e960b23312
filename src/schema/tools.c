/* How it works: every directory that may hold the three programs is asked for its pg_dump's version;
 * one of them is chosen by major number. Packages' versioned directories come before PATH, whose
 * pg_dump may be a wrapper that picks a version by rules of its own. */
#include "schema/tools.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/proc.h"

#define VERSION_TIMEOUT_MS 20000

struct candidates {
    char **dirs; /* owned */
    int *majors; /* parallel */
    size_t count, dirs_cap, majors_cap;
};

int schema_tools_parse_version(const char *text)
{
    const char *mark = strstr(text, "(PostgreSQL) ");

    return mark ? atoi(mark + strlen("(PostgreSQL) ")) : 0;
}

int schema_tools_choose(const int *majors, size_t count, int source_major, int target_major)
{
    int best = -1;

    for (size_t i = 0; i < count; i++) {
        int major = majors[i];
        if (major < source_major)
            continue;
        bool fits = major <= target_major;
        bool best_fits = best >= 0 && majors[best] <= target_major;
        if (best < 0 || (fits && (!best_fits || major > majors[best])) ||
            (!fits && !best_fits && major < majors[best]))
            best = (int)i;
    }
    return best;
}

static bool has_programs(const char *dir)
{
    static const char *const names[] = {"pg_dump", "pg_restore", "pg_dumpall"};
    bool all = true;

    for (size_t i = 0; i < 3; i++) {
        char *path = xasprintf("%s/%s", dir, names[i]);
        all = all && access(path, X_OK) == 0;
        free(path);
    }
    return all;
}

static int version_in(const char *dir)
{
    char *path = xasprintf("%s/pg_dump", dir);
    const char *const argv[] = {path, "--version", NULL};
    struct buf out = BUF_INIT;
    struct proc_run run = {.argv = argv, .out = &out, .timeout_ms = VERSION_TIMEOUT_MS};
    int major = proc_run(&run, NULL) && out.data ? schema_tools_parse_version(out.data) : 0;

    buf_release(&out);
    free(path);
    return major;
}

static void consider(struct candidates *all, const char *dir)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->dirs[i], dir) == 0)
            return;
    int major = has_programs(dir) ? version_in(dir) : 0;
    if (!major)
        return;
    all->dirs = xgrow(all->dirs, all->count, &all->dirs_cap, sizeof *all->dirs);
    all->majors = xgrow(all->majors, all->count, &all->majors_cap, sizeof *all->majors);
    all->dirs[all->count] = xstrdup(dir);
    all->majors[all->count++] = major;
}

static void search(struct candidates *all)
{
    static const char *const patterns[] = {"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"};
    const char *path = getenv("PATH");
    char *dirs = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *state = NULL;

    for (size_t i = 0; i < 2; i++) {
        glob_t found;
        if (glob(patterns[i], 0, NULL, &found) != 0)
            continue;
        for (size_t k = 0; k < found.gl_pathc; k++)
            consider(all, found.gl_pathv[k]);
        globfree(&found);
    }
    for (char *dir = strtok_r(dirs, ":", &state); dir; dir = strtok_r(NULL, ":", &state))
        consider(all, dir);
    free(dirs);
}

static void refuse(const struct candidates *all, int source_major, int target_major,
                   struct err *err)
{
    struct buf found = BUF_INIT;

    for (size_t i = 0; i < all->count; i++)
        buf_addf(&found, "%s%d in %s", i ? ", " : "", all->majors[i], all->dirs[i]);
    err_set(err, ERR_PREREQUISITE, "no pg_dump of version %d or newer was found", source_major);
    err_detail(err, "pg_dump cannot read a server newer than itself. Found: %s.",
               found.len ? found.data : "none");
    err_hint(err, "Install the package postgresql-client-%d (Debian, Ubuntu) or postgresql%d (Red Hat, "
                  "SUSE) on this host.", target_major, target_major);
    buf_release(&found);
}

bool schema_tools_find(struct schema_tools *tools, int source_version, int target_version,
                       struct err *err)
{
    struct candidates all = {0};
    int source_major = source_version / 10000;
    int target_major = target_version / 10000;

    search(&all);
    int best = schema_tools_choose(all.majors, all.count, source_major, target_major);
    if (best >= 0) {
        schema_tools_release(tools);
        tools->pg_dump = xasprintf("%s/pg_dump", all.dirs[best]);
        tools->pg_restore = xasprintf("%s/pg_restore", all.dirs[best]);
        tools->pg_dumpall = xasprintf("%s/pg_dumpall", all.dirs[best]);
        tools->major = all.majors[best];
    } else {
        refuse(&all, source_major, target_major, err);
    }
    for (size_t i = 0; i < all.count; i++)
        free(all.dirs[i]);
    free(all.dirs);
    free(all.majors);
    return best >= 0;
}

/* pg_dump has no SQLSTATE for us, only libpq's words. */
void schema_tools_lost_connection(const char *messages, struct err *err)
{
    static const char *const words[] = {
        "server closed the connection", "could not receive data from server", "could not send data to server",
        "terminating connection", "the database system is", "Connection refused", "Connection timed out",
        "Connection reset", "No such file or directory\n\tIs the server running", "SSL connection has been closed",
    };

    for (size_t i = 0; err && messages && i < sizeof words / sizeof *words; i++) {
        if (!strstr(messages, words[i]))
            continue;
        err->code = ERR_CONNECTION;
        err->retryable = true;
    }
}

void schema_tools_release(struct schema_tools *tools)
{
    free(tools->pg_dump);
    free(tools->pg_restore);
    free(tools->pg_dumpall);
    *tools = (struct schema_tools)SCHEMA_TOOLS_INIT;
}
