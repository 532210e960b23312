#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/record.h"
#include "base/stop.h"
#include "engine/decided.h"
#include "engine/supervisor.h"

static char *random_id(void)
{
    unsigned char bytes[16];
    struct buf out = BUF_INIT;

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        abort();
    for (size_t i = 0; i < sizeof bytes; i++)
        buf_addf(&out, "%02x%s", bytes[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
    return buf_take(&out);
}

static char *in_dir(const struct migration *m, const char *file)
{
    return xasprintf("%s/%s", m->dir, file);
}

/* A migration that failed or was cancelled and left nothing to undo does not keep its name. */
static bool is_spent(const struct migration *m)
{
    char *path = in_dir(m, "journal.jsonl");
    struct journal journal;
    enum pipeline_state state;
    struct err err = ERR_INIT;
    bool spent = false;

    if (journal_read(&journal, path, &err)) {
        int count = cJSON_GetArraySize(journal.states);
        spent = count > 0;
        for (int i = 0; i < count; i++)
            spent = spent && !journal_has(&journal, i, NULL) && journal_state(&journal, i) &&
                    pipeline_state_parse(json_str(journal_state(&journal, i), "state"), &state) &&
                    (state == PIPE_FAILED || state == PIPE_CANCELLED);
        journal_close(&journal);
    }
    err_clear(&err);
    free(path);
    return spent;
}

bool engine_prepare_new(struct migration *m, struct plan *plan, enum goal goal,
                        const char *state_dir, struct err *err)
{
    *m = (struct migration){0};
    m->name = xstrdup(plan->name);
    m->dir = xasprintf("%s/%s", state_dir, plan->name);
    char *identity = in_dir(m, "migration.json");
    bool taken = file_exists(identity);
    free(identity);
    if (taken && !engine_is_running(state_dir, m->name) && is_spent(m)) {
        if (!dir_remove(m->dir, err)) {
            migration_release(m);
            return false;
        }
        taken = false;
    }
    if (taken) {
        err_set(err, ERR_USAGE, "the name \"%s\" is in use by another migration", m->name);
        err_hint(err, "Go on with it (\"pgcutover resume %s\"), forget it (\"pgcutover delete %s\"), or "
                      "choose another name with --name.", m->name, m->name);
        migration_release(m);
        return false;
    }
    m->id = random_id();
    m->goal = goal;
    m->started_us = clock_wall_us();
    m->plan = *plan;
    *plan = (struct plan){0};
    migration_make_pipelines(m);
    return true;
}

/* Passwords are in no file of ours: the plan it was started with may hold them still. */
static void recall_passwords(struct migration *m, const cJSON *identity)
{
    const char *plan_path = json_str(identity, "planPath");
    const char *source_path = json_str(identity, "sourcePath");
    const char *target_path = json_str(identity, "targetPath");
    struct plan original = {0};
    struct err err = ERR_INIT;

    bool ok = source_path && target_path
                  ? plan_read_azure(&original, source_path, target_path, NULL, m->name, &err)
                  : plan_path && plan_read(&original, plan_path, &err);
    if (ok) {
        /* The way back is started with the plan of the way there. */
        bool turned = m->plan.fallback_of && plan_path;
        plan_recall_secrets(&m->plan.source, turned ? &original.target : &original.source);
        plan_recall_secrets(&m->plan.target, turned ? &original.source : &original.target);
        plan_release(&original);
    }
    err_clear(&err);
}

/* The plan file that the migration was started with; owned, NULL: it is not there any more. */
static char *original_plan(const struct migration *m)
{
    char *identity = in_dir(m, "migration.json");
    struct buf text = BUF_INIT;
    cJSON *json = file_read(identity, &text, NULL) ? cJSON_Parse(text.data) : NULL;
    const char *path = json_str(json, "planPath");
    char *found = path && file_exists(path) ? xstrdup(path) : NULL;

    cJSON_Delete(json);
    buf_release(&text);
    free(identity);
    return found;
}

static bool store_plan(const struct migration *m, struct err *err)
{
    char *path = in_dir(m, "plan.json");
    char *text = plan_text(&m->plan);
    bool ok = file_write_atomic(path, text, strlen(text), err);

    free(text);
    free(path);
    return ok;
}

bool engine_recall_decisions(struct migration *m, bool *changed, struct err *err)
{
    char *path = original_plan(m);
    struct plan now = {0};
    bool ok = (!path || plan_read_as(&now, path, m->name, err)) && decided_load(m, err);

    *changed = false;
    if (ok) {
        char *before = plan_text(&m->plan);
        if (path)
            plan_take_decisions(&m->plan, &now);
        decided_apply(m, &m->plan);
        char *after = plan_text(&m->plan);
        *changed = strcmp(before, after) != 0;
        ok = !*changed || store_plan(m, err);
        free(before);
        free(after);
    }
    plan_release(&now);
    free(path);
    return ok;
}

bool engine_load(struct migration *m, const char *state_dir, const char *name, struct err *err)
{
    struct buf text = BUF_INIT;
    bool ok = false;

    *m = (struct migration){0};
    m->name = xstrdup(name);
    m->dir = xasprintf("%s/%s", state_dir, name);
    char *identity = in_dir(m, "migration.json");
    char *plan_path = in_dir(m, "plan.json");
    cJSON *json = NULL;
    if (!plan_name_is_valid(name) || !file_exists(identity)) {
        err_set(err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\"", name, state_dir);
        err_hint(err, "\"pgcutover status\" lists what is there.");
        goto out;
    }
    if (!file_read(identity, &text, err) || !plan_read(&m->plan, plan_path, err))
        goto out;
    json = cJSON_Parse(text.data);
    if (!json_str(json, "id")) {
        err_set(err, ERR_PROTOCOL, "\"%s\" is damaged", identity);
        goto out;
    }
    m->id = xstrdup(json_str(json, "id"));
    m->started_us = json_i64(json, "startedUs", 0);
    if (!json_str(json, "goal") || !goal_parse(json_str(json, "goal"), &m->goal))
        m->goal = GOAL_READY;
    recall_passwords(m, json);
    migration_make_pipelines(m);
    ok = true;
out:
    cJSON_Delete(json);
    buf_release(&text);
    free(identity);
    free(plan_path);
    if (!ok)
        migration_release(m);
    return ok;
}

/* Absolute: "resume" may be said in another directory. */
static void add_path(cJSON *json, const char *key, const char *path)
{
    char *absolute = path ? realpath(path, NULL) : NULL;

    json_add_str(json, key, absolute);
    free(absolute);
}

static bool store_identity(const struct migration *m, struct err *err)
{
    static const char *const goals[] = {"checked", "schema", "loaded", "ready", "done"};
    char *identity = in_dir(m, "migration.json");
    char *plan_path = in_dir(m, "plan.json");
    cJSON *json = cJSON_CreateObject();
    bool ok = true;

    json_add_str(json, "id", m->id);
    json_add_str(json, "name", m->name);
    json_add_str(json, "goal", goals[m->goal]);
    add_path(json, "planPath", m->plan.path);
    add_path(json, "sourcePath", m->plan.source.path);
    add_path(json, "targetPath", m->plan.target.path);
    json_add_i64(json, "startedUs", m->started_us);
    char *text = json_pretty_sorted(json);
    char *plan = plan_text(&m->plan);
    if (!file_exists(identity))
        ok = file_write_atomic(plan_path, plan, strlen(plan), err) &&
             file_write_atomic(identity, text, strlen(text), err);
    free(text);
    free(plan);
    cJSON_Delete(json);
    free(identity);
    free(plan_path);
    return ok;
}

static bool make_dirs(const struct migration *m, struct err *err)
{
    bool ok = dir_make_private(m->dir, err);

    for (size_t i = 0; ok && i < m->pipeline_count; i++)
        ok = dir_make_private(m->pipelines[i].dir, err);
    return ok;
}

static int take_lock(const struct migration *m, struct err *err)
{
    char *path = in_dir(m, "lock");
    int fd = file_lock(path, err);

    if (fd < 0 && !err_is_set(err)) {
        err_set(err, ERR_USAGE, "an engine for migration \"%s\" runs already", m->name);
        err_hint(err, "\"pgcutover status %s\" shows it.", m->name);
    }
    free(path);
    return fd;
}

bool engine_is_running(const char *state_dir, const char *name)
{
    char *path = xasprintf("%s/%s/lock", state_dir, name);
    struct err err = ERR_INIT;
    int fd = file_exists(path) ? file_lock(path, &err) : -1;
    bool running = fd < 0 && file_exists(path) && !err_is_set(&err);

    if (fd >= 0)
        close(fd);
    err_clear(&err);
    free(path);
    return running;
}

/* --- the engine's process --- */

static void detach_stdio(void)
{
    int null_fd = open("/dev/null", O_RDWR);

    for (int i = 0; i < 3; i++)
        dup2(null_fd, i);
    if (null_fd > 2)
        close(null_fd);
}

/* Tells the starter how it went: "" or an error as JSON; closes the pipe. */
static void tell_starter(int fd, const struct err *err)
{
    if (err_is_set(err)) {
        cJSON *json = err_to_json(err);
        char *text = json_line(json);
        (void)fd_write_all(fd, text, strlen(text), NULL);
        free(text);
        cJSON_Delete(json);
    } else {
        dprintf(fd, "{\"pid\":%d}", (int)getpid());
    }
    close(fd);
}

static void run_engine(struct migration *m, const struct engine_options *options, int lock_fd,
                       int report_fd)
{
    struct supervisor s;
    struct err err = ERR_INIT;
    char *log_path = in_dir(m, "log.jsonl");
    char *record_path = in_dir(m, "record.jsonl");
    int keep[2] = {lock_fd, report_fd};

    proc_close_fds_except(keep, 2);
    detach_stdio();
    if (chdir("/") < 0)
        err_errno(&err, "could not change to \"/\"");
    umask(0077);
    prctl(PR_SET_NAME, "pgc-engine");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    stop_catch_signals(false);
    log_component("engine");
    bool ok = !err_is_set(&err) && log_open(log_path, options->log_level, &err) &&
              record_open(record_path, &err) && supervisor_open(&s, m, &err);
    free(log_path);
    free(record_path);
    if (ok && options->command && !supervisor_command(&s, options->command, &err)) {
        supervisor_close(&s);
        ok = false;
    }
    tell_starter(report_fd, &err);
    if (!ok)
        _exit(1);
    migration_event(m, "info", "the engine runs as process %d", (int)getpid());
    supervisor_run(&s);
    bool forget = s.deleting && migration_has_ended(m) && !stop_requested();
    if (forget && !dir_remove(m->dir, &err))
        log_err(LOG_ERROR, &err);
    supervisor_close(&s);
    _exit(0);
}

/* Double fork: the engine is nobody's child and has no terminal to be hung up with. */
static void detach(struct migration *m, const struct engine_options *options, int lock_fd,
                   int report_fd)
{
    pid_t pid;

    setsid();
    pid = fork();
    if (pid == 0)
        run_engine(m, options, lock_fd, report_fd);
    _exit(pid < 0 ? 1 : 0);
}

/* Reads the engine's first word. */
static bool hear(int fd, int *pid, struct err *err)
{
    struct buf text = BUF_INIT;
    ssize_t got;

    do {
        got = read(fd, buf_room(&text, 4096), 4096);
        if (got > 0)
            text.len += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    buf_add(&text, "", 0);
    cJSON *json = cJSON_Parse(text.data);
    bool ok = json && json_get(json, "pid");
    if (ok && pid)
        *pid = (int)json_i64(json, "pid", 0);
    if (!ok && json)
        err_from_json(err, json);
    else if (!ok)
        err_set(err, ERR_INTERNAL, "the engine ended before it could say why");
    cJSON_Delete(json);
    buf_release(&text);
    return ok;
}

bool engine_start(struct migration *m, const struct engine_options *options, int *pid,
                  struct err *err)
{
    int lock_fd = -1;
    int fds[2] = {-1, -1};
    bool ok = false;

    if (!make_dirs(m, err))
        return false;
    lock_fd = take_lock(m, err);
    if (lock_fd < 0 || !store_identity(m, err))
        goto out;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        err_errno(err, "could not start the engine");
        goto out;
    }
    pid_t child = fork();
    if (child == 0)
        detach(m, options, lock_fd, fds[1]);
    close(fds[1]);
    fds[1] = -1;
    if (child < 0) {
        err_errno(err, "could not start the engine");
        goto out;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    ok = hear(fds[0], pid, err);
out:
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (lock_fd >= 0)
        close(lock_fd);
    return ok;
}
