#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"

static int log_fd = -1;
static enum log_level log_least = LOG_INFO;
static char log_name[64] = "pgcutover";

static const char *const level_names[] = {"debug", "info", "warning", "error"};

bool log_open(const char *path, enum log_level least, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0) {
        err_errno(err, "could not open log file \"%s\"", path);
        return false;
    }
    if (log_fd >= 0)
        close(log_fd);
    log_fd = fd;
    log_least = least;
    return true;
}

bool log_level_parse(const char *text, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_component(const char *component)
{
    snprintf(log_name, sizeof log_name, "%s", component);
}

const char *log_name_of_process(void)
{
    return log_name;
}

int log_descriptor(void)
{
    return log_fd;
}

static void write_line(cJSON *line, enum log_level level, const char *message)
{
    json_add_time(line, "time", clock_wall_us());
    json_add_str(line, "level", level_names[level]);
    json_add_num(line, "pid", getpid());
    json_add_str(line, "component", log_name);
    json_add_str(line, "message", message);
    char *text = json_line(line);
    struct buf out = BUF_INIT;
    buf_addf(&out, "%s\n", text);
    /* A log that cannot be written must not stop a migration. */
    (void)fd_write_all(log_fd, out.data, out.len, NULL);
    buf_release(&out);
    free(text);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
    va_list args;

    if (log_fd < 0 || level < log_least)
        return;
    va_start(args, fmt);
    char *message = xvasprintf(fmt, args);
    va_end(args);
    cJSON *line = cJSON_CreateObject();
    write_line(line, level, message);
    cJSON_Delete(line);
    free(message);
}

void log_err(enum log_level level, const struct err *err)
{
    if (log_fd < 0 || level < log_least)
        return;
    cJSON *line = cJSON_CreateObject();
    if (err->sqlstate[0])
        json_add_str(line, "sqlstate", err->sqlstate);
    if (err->detail)
        json_add_str(line, "detail", err->detail);
    if (err->hint)
        json_add_str(line, "hint", err->hint);
    write_line(line, level, err->message ? err->message : "no error");
    cJSON_Delete(line);
}
