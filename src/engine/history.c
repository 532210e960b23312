#include "engine/history.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"

#define FIRST_INTERVAL_MS 1000

/* --- one line --- */

struct sums {
    int64_t rows, bytes, applied, lag_us;
};

static void add_pipeline(struct sums *sums, const struct pipeline *p, int64_t now_us)
{
    for (const struct table *t = p->tables; t; t = t->hh.next) {
        sums->rows += t->rows;
        sums->bytes += t->bytes;
    }
    sums->applied += p->applied_changes;
    bool streams = p->state >= PIPE_CATCHING_UP && p->state <= PIPE_CUTTING_OVER && !p->load_only;
    int64_t lag = !streams ? -1 : p->apply_idle ? p->latency_us : pipeline_lag_us(p, now_us);
    if (lag > sums->lag_us)
        sums->lag_us = lag;
}

static cJSON *line_of(const struct migration *m)
{
    struct sums sums = {.lag_us = -1};
    int64_t now_us = clock_wall_us();
    cJSON *line = cJSON_CreateObject();

    for (size_t i = 0; i < m->pipeline_count; i++)
        add_pipeline(&sums, &m->pipelines[i], now_us);
    json_add_time(line, "time", now_us);
    json_add_num(line, "us", (double)now_us);
    json_add_num(line, "rows", (double)sums.rows);
    json_add_num(line, "bytes", (double)sums.bytes);
    json_add_num(line, "applied", (double)sums.applied);
    if (sums.lag_us >= 0)
        json_add_num(line, "lagUs", (double)sums.lag_us);
    else
        cJSON_AddNullToObject(line, "lagUs");
    return line;
}

static void append(const struct history *history, const struct migration *m)
{
    cJSON *line = line_of(m);
    char *text = json_line(line);
    struct buf out = BUF_INIT;
    int fd = open(history->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    buf_addf(&out, "%s\n", text);
    if (fd >= 0) {
        (void)fd_write_all(fd, out.data, out.len, NULL);
        close(fd);
    }
    buf_release(&out);
    free(text);
    cJSON_Delete(line);
}

/* --- thinning out --- */

static size_t count_lines(const struct buf *text)
{
    size_t lines = 0;

    for (size_t i = 0; i < text->len; i++)
        lines += text->data[i] == '\n';
    return lines;
}

/* Every second line is kept, and from now on one comes half as often. */
static void thin_out(struct history *history)
{
    struct buf text = BUF_INIT, kept = BUF_INIT;
    size_t number = 0;

    if (file_read(history->path, &text, NULL)) {
        const char *end = text.data + text.len;
        for (const char *at = text.data, *next; at < end; at = next) {
            const char *stop = memchr(at, '\n', (size_t)(end - at));
            next = stop ? stop + 1 : end;
            if (number++ % 2 == 0)
                buf_add(&kept, at, (size_t)(next - at));
        }
        if (kept.len && file_replace(history->path, kept.data, kept.len, NULL))
            history->lines = count_lines(&kept);
    }
    history->interval_ms *= 2;
    buf_release(&text);
    buf_release(&kept);
}

/* --- public --- */

void history_open(struct history *history, const struct migration *m)
{
    struct buf text = BUF_INIT;

    *history = (struct history){.path = xasprintf("%s/history.jsonl", m->dir), .interval_ms = FIRST_INTERVAL_MS};
    if (file_read(history->path, &text, NULL))
        history->lines = count_lines(&text);
    buf_release(&text);
    /* As far apart as they would be now, had one engine run all the time. */
    int64_t age_ms = (clock_wall_us() - m->started_us) / 1000;
    while (m->started_us && history->interval_ms * HISTORY_LINES < age_ms && history->lines > HISTORY_LINES / 2)
        history->interval_ms *= 2;
}

void history_turn(struct history *history, const struct migration *m)
{
    int64_t now_ms = clock_mono_ms();

    if (now_ms < history->next_ms)
        return;
    history->next_ms = now_ms + history->interval_ms;
    append(history, m);
    if (++history->lines >= HISTORY_LINES)
        thin_out(history);
}

void history_close(struct history *history)
{
    free(history->path);
    *history = (struct history){0};
}
