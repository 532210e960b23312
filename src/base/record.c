#include "base/record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"

static int record_fd = -1;
static bool warned;

bool record_open(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0) {
        err_errno(err, "could not open \"%s\"", path);
        return false;
    }
    if (record_fd >= 0)
        close(record_fd);
    record_fd = fd;
    warned = false;
    return true;
}

bool record_is_open(void)
{
    return record_fd >= 0;
}

int record_descriptor(void)
{
    return record_fd;
}

static void write_line(const cJSON *line)
{
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    char *text = json_line(line);

    /* A newline on both sides: behind a line that a full disk has torn, this one is whole all the same. */
    buf_addf(&out, "%s%s\n", warned ? "\n" : "", text);
    if (!fd_write_all(record_fd, out.data, out.len, &err)) {
        err_wrap(&err, "the record for the report lacks a line");
        if (!warned)
            log_err(LOG_WARNING, &err);
        warned = true;
    }
    err_clear(&err);
    buf_release(&out);
    free(text);
}

void record_add(const char *kind, cJSON *fields)
{
    if (record_fd >= 0) {
        json_add_time(fields, "time", clock_wall_us());
        json_add_str(fields, "kind", kind);
        json_add_str(fields, "by", log_name_of_process());
        write_line(fields);
    }
    cJSON_Delete(fields);
}
