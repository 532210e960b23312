#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/proc.h"
#include "base/rate.h"
#include "base/secret.h"
#include "base/units.h"

static void test_err(void)
{
    struct err err = ERR_INIT;
    struct err other = ERR_INIT;

    err_set(&err, ERR_SERVER, "could not %s", "open");
    err_detail(&err, "Detail.");
    err_hint(&err, "Hint %d.", 1);
    err_wrap(&err, "table \"%s\"", "t");
    CHECK_STR(err.message, "table \"t\": could not open");
    strcpy(err.sqlstate, "42P01");
    err.retryable = true;
    cJSON *json = err_to_json(&err);
    err_from_json(&other, json);
    cJSON_Delete(json);
    char *text = err_text(&other);
    CHECK_STR(text, "table \"t\": could not open (SQLSTATE 42P01)\n  detail: Detail.\n  hint: Hint 1.");
    free(text);
    CHECK_INT(other.code, ERR_SERVER);
    CHECK_TRUE(other.retryable);
    CHECK_INT(err_exit_code(&other), 1);
    err_set(&other, ERR_USAGE, "x");
    CHECK_INT(err_exit_code(&other), 2);
    CHECK_TRUE(other.hint == NULL);
    err_clear(&err);
    err_clear(&other);
}

static void test_buf(void)
{
    struct buf buf = BUF_INIT;

    buf_addf(&buf, "%s-%d", "a", 5);
    buf_put_u32(&buf, 0x01020304);
    CHECK_INT(buf.len, 7);
    CHECK_INT(buf.data[3], 1);
    CHECK_INT(buf.data[6], 4);
    buf_consume(&buf, 3);
    CHECK_INT(buf.len, 4);
    buf_consume(&buf, 40);
    CHECK_INT(buf.len, 0);
    char *text = buf_take(&buf);
    CHECK_STR(text, "");
    free(text);
}

static void test_clock_text(void)
{
    char *text = clock_iso(INT64_C(1530833762278390));

    CHECK_STR(text, "2018-07-05T23:36:02.27839+00:00");
    free(text);
    text = clock_iso(INT64_C(1530833762000000));
    CHECK_STR(text, "2018-07-05T23:36:02+00:00");
    free(text);
}

static void test_units(void)
{
    int64_t value = -1;
    char text[32];

    CHECK_TRUE(units_parse_bytes("1GB", &value));
    CHECK_INT(value, 1073741824);
    CHECK_TRUE(units_parse_bytes("64 kB", &value));
    CHECK_INT(value, 65536);
    CHECK_TRUE(!units_parse_bytes("1XB", &value));
    CHECK_TRUE(!units_parse_bytes("", &value));
    CHECK_TRUE(!units_parse_bytes("-1", &value));
    CHECK_TRUE(!units_parse_bytes("nan", &value));
    CHECK_TRUE(units_parse_duration_us("1s", &value));
    CHECK_INT(value, 1000000);
    CHECK_TRUE(units_parse_duration_us("250 ms", &value));
    CHECK_INT(value, 250000);
    CHECK_TRUE(units_parse_duration_us("2h", &value));
    CHECK_INT(value, INT64_C(7200000000));
    units_count(1204331, text, sizeof text);
    CHECK_STR(text, "1,204,331");
    units_count(-999, text, sizeof text);
    CHECK_STR(text, "-999");
    units_bytes(INT64_C(16213900000), text, sizeof text);
    CHECK_STR(text, "15.1 GB");
    units_duration(800000, text, sizeof text);
    CHECK_STR(text, "0.8 s");
    units_duration(INT64_C(11045) * 1000000, text, sizeof text);
    CHECK_STR(text, "3:04:05");
}

static void test_json(void)
{
    cJSON *json = cJSON_CreateObject();

    json_add_u64(json, "z", UINT64_MAX);
    json_add_str(json, "a", NULL);
    cJSON_AddItemToObject(json, "m", cJSON_CreateArray());
    CHECK_TRUE(json_u64(json, "z", 0) == UINT64_MAX);
    char *text = json_pretty_sorted(json);
    CHECK_STR(text, "{\n  \"a\": null,\n  \"m\": [],\n  \"z\": \"18446744073709551615\"\n}");
    free(text);
    cJSON_Delete(json);
}

static void test_files(void)
{
    char dir[] = "/tmp/pgc-unit.XXXXXX";
    struct err err = ERR_INIT;
    struct buf buf = BUF_INIT;
    struct stat st;

    CHECK_TRUE(mkdtemp(dir) != NULL);
    char *deep = xasprintf("%s/a/b", dir);
    char *file = xasprintf("%s/f", deep);
    CHECK_TRUE(dir_make_private(deep, &err));
    CHECK_TRUE(stat(deep, &st) == 0 && (st.st_mode & 0777) == 0700);
    CHECK_TRUE(file_write_atomic(file, "one", 3, &err));
    CHECK_TRUE(file_write_atomic(file, "two!", 4, &err));
    CHECK_TRUE(file_read(file, &buf, &err));
    CHECK_STR(buf.data, "two!");
    CHECK_TRUE(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600);
    int held = file_lock(file, &err);
    CHECK_TRUE(held >= 0);
    CHECK_INT(file_lock(file, &err), -1);
    CHECK_TRUE(!err_is_set(&err));
    close(held);
    CHECK_TRUE(dir_remove(dir, &err));
    CHECK_TRUE(!file_exists(dir));
    CHECK_TRUE(dir_remove(dir, &err));
    CHECK_TRUE(!file_read(file, &buf, &err));
    CHECK_CONTAINS(err.message, "could not open");
    err_clear(&err);
    buf_release(&buf);
    free(deep);
    free(file);
}

static void test_proc(void)
{
    const char *const argv[] = {"sh", "-c", "echo out; echo oops >&2; exit 3", NULL};
    const char *const slow[] = {"sleep", "60", NULL};
    const char *const leaves[] = {"sh", "-c", "sleep 20 & echo begun", NULL};
    struct buf out = BUF_INIT;
    struct buf errors = BUF_INIT;
    struct err err = ERR_INIT;
    struct proc_run run = {.argv = argv, .out = &out, .errors = &errors};

    CHECK_TRUE(!proc_run(&run, &err));
    CHECK_STR(out.data, "out\n");
    CHECK_STR(err.message, "\"sh\" failed with exit status 3");
    CHECK_STR(err.detail, "oops\n");
    run = (struct proc_run){.argv = slow, .timeout_ms = 100};
    int64_t started = clock_mono_ms();
    CHECK_TRUE(!proc_run(&run, &err));
    CHECK_INT(err.code, ERR_TIMEOUT);
    CHECK_TRUE(clock_mono_ms() - started < 5000);
    err_clear(&err);
    /* What it leaves running has its output still, and is not waited for; what was printed is there. */
    run = (struct proc_run){.argv = leaves, .out = &out, .errors = &errors};
    buf_clear(&out);
    started = clock_mono_ms();
    CHECK_TRUE(proc_run(&run, &err));
    CHECK_STR(out.data, "begun\n");
    CHECK_TRUE(clock_mono_ms() - started < 5000);
    buf_release(&out);
    buf_release(&errors);
}

static void test_proc_start(void)
{
    char path[] = "/tmp/test-proc.XXXXXX";
    const char *const ends[] = {"sh", "-c", "echo out; echo bad >&2; exit 3", NULL};
    const char *const stays[] = {"sleep", "60", NULL};
    const char *const deaf[] = {"sh", "-c", "trap '' TERM; echo deaf; sleep 60", NULL};
    struct proc_run run = {.argv = ends, .out_path = path};
    struct buf text = BUF_INIT;
    int pid = 0;
    int status = 0;

    close(mkstemp(path));
    CHECK_TRUE(proc_start(&run, SIGKILL, &pid, NULL));
    status = proc_end(pid, 0, 10000);
    CHECK_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK_TRUE(file_read(path, &text, NULL));
    CHECK_STR(text.data, "out\nbad\n");

    run = (struct proc_run){.argv = stays};
    CHECK_TRUE(proc_start(&run, SIGKILL, &pid, NULL));
    CHECK_TRUE(!proc_has_ended(pid, &status));
    status = proc_end(pid, SIGTERM, 10000);
    CHECK_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);

    /* It is deaf once its output is there. */
    run = (struct proc_run){.argv = deaf, .out_path = path};
    CHECK_TRUE(proc_start(&run, SIGKILL, &pid, NULL));
    do {
        usleep(1000);
        CHECK_TRUE(file_read(path, &text, NULL));
    } while (!strstr(text.data, "deaf"));
    CHECK_INT(getsid(pid), pid);
    status = proc_end(pid, SIGTERM, 50);
    CHECK_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    unlink(path);
    buf_release(&text);
}

/* Only root can become another user. */
static void test_proc_user(void)
{
    const char *const argv[] = {"sh", "-c", "id -u; id -g; id -G; pwd", NULL};
    struct buf out = BUF_INIT;
    struct proc_run run = {.argv = argv, .out = &out, .uid = 65534, .gid = 65533};
    struct err err = ERR_INIT;
    bool ok = proc_run(&run, &err);

    if (geteuid() == 0) {
        CHECK_TRUE(ok);
        CHECK_STR(out.data, "65534\n65533\n65533\n/\n");
    } else if (geteuid() != 65534) {
        CHECK_TRUE(!ok);
        CHECK_STR(err.message, "\"sh\" failed with exit status 127");
    }
    err_clear(&err);
    buf_release(&out);
}

static void test_channel(void)
{
    int fds[2];
    struct channel a;
    struct channel b;
    struct err err = ERR_INIT;

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    channel_open(&a, fds[0]);
    channel_open(&b, fds[1]);
    cJSON *message = json_message("hello");
    json_add_u64(message, "lsn", UINT64_C(1) << 60);
    CHECK_TRUE(channel_send(&a, message, &err));
    channel_queue(&a, json_message("again"));
    message = channel_receive(&b, 1000, &err);
    CHECK_STR(json_str(message, "type"), "hello");
    CHECK_TRUE(json_u64(message, "lsn", 0) == UINT64_C(1) << 60);
    cJSON_Delete(message);
    message = channel_receive(&b, 1000, &err);
    CHECK_STR(json_str(message, "type"), "again");
    cJSON_Delete(message);
    CHECK_TRUE(channel_receive(&b, 20, &err) == NULL);
    CHECK_INT(err.code, ERR_TIMEOUT);
    bool bad = false;
    CHECK_INT(write(a.fd, "junk\n", 5), 5);
    channel_read(&b);
    CHECK_TRUE(channel_next(&b, &bad) == NULL && bad);
    CHECK_TRUE(channel_receive(&a, 1000, &err) == NULL);
    CHECK_INT(err.code, ERR_NOT_FOUND);
    channel_close(&a);
    channel_close(&b);
    err_clear(&err);
}

static int served;

static void on_fd(void *arg, short revents)
{
    int *fd = arg;
    char ch;

    CHECK_TRUE(revents & 1);
    served += (int)read(*fd, &ch, 1);
}

static void on_timer(void *arg)
{
    ++*(int *)arg;
}

static void test_loop(void)
{
    struct loop *loop = loop_new();
    int fds[2];
    int ticks = 0;

    CHECK_INT(pipe(fds), 0);
    loop_every(loop, 5, on_timer, &ticks);
    loop_watch(loop, fds[0], 1, on_fd, &fds[0]);
    CHECK_INT(write(fds[1], "x", 1), 1);
    for (int64_t until = clock_mono_ms() + 5000; (ticks < 2 || !served) && clock_mono_ms() < until;)
        loop_turn(loop);
    CHECK_INT(served, 1);
    CHECK_TRUE(ticks >= 2);
    loop_unwatch(loop, fds[0]);
    CHECK_INT(write(fds[1], "x", 1), 1);
    loop_turn(loop);
    CHECK_INT(served, 1);
    loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}

static void test_log(void)
{
    char path[] = "/tmp/pgc-unit-log.XXXXXX";
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT;
    enum log_level level = LOG_DEBUG;

    close(mkstemp(path));
    CHECK_TRUE(log_level_parse("warning", &level));
    CHECK_TRUE(!log_level_parse("loud", &level));
    CHECK_TRUE(log_open(path, level, &err));
    log_component("unit");
    log_msg(LOG_INFO, "not written");
    err_set(&err, ERR_SERVER, "line\nbreak");
    log_err(LOG_ERROR, &err);
    CHECK_TRUE(file_read(path, &text, NULL));
    cJSON *line = cJSON_Parse(text.data);
    CHECK_STR(json_str(line, "message"), "line\nbreak");
    CHECK_STR(json_str(line, "component"), "unit");
    CHECK_TRUE(strchr(text.data, '\n') == text.data + text.len - 1);
    cJSON_Delete(line);
    unlink(path);
    buf_release(&text);
    err_clear(&err);
}

/* A thousand bytes at a thousand a second take a second, but for what a pause has saved. */
static void test_rate(void)
{
    struct rate rate = {0};
    int64_t now = 5000000;

    rate_add(&rate, 1 << 30, now);
    CHECK_INT(rate_wait_us(&rate, now), 0);
    rate_set(&rate, 1000, now);
    rate_add(&rate, 1000, now);
    CHECK_INT(rate_wait_us(&rate, now), 1000000);
    CHECK_INT(rate_wait_us(&rate, now + 400000), 600000);
    rate_add(&rate, 500, now + 400000);
    CHECK_INT(rate_wait_us(&rate, now + 400000), 1100000);
    CHECK_INT(rate_wait_us(&rate, now + 1500000), 0);
    rate_add(&rate, 1000, now + 60000000);
    CHECK_INT(rate_wait_us(&rate, now + 60000000), 900000);
    rate_set(&rate, 2000000000, now + 60000000);
    CHECK_INT(rate_wait_us(&rate, now + 60000000), 0);
    rate_add(&rate, INT64_C(4000000000), now + 60000000);
    CHECK_INT(rate_wait_us(&rate, now + 60000000), 2000000);
    rate_set(&rate, 0, now + 60000000);
    CHECK_INT(rate_wait_us(&rate, now + 60000000), 0);
}

static void test_secret(void)
{
    struct secret secret = SECRET_INIT;

    CHECK_TRUE(!secret_is_known(&secret));
    secret_set(&secret, "");
    CHECK_TRUE(secret_is_known(&secret));
    secret_set(&secret, "hush");
    CHECK_STR(secret.text, "hush");
    secret_release(&secret);
    CHECK_TRUE(!secret_is_known(&secret));
}

/* --- times as people write them --- */

static void check_time(const char *text, int64_t want_s)
{
    int64_t us = -1;
    bool ok = clock_parse_time(text, &us);

    CHECK_TRUE(ok == (want_s >= 0));
    if (ok)
        CHECK_INT(us, want_s * 1000000);
}

static void test_times(void)
{
    setenv("TZ", "EST5EDT", 1);
    tzset();
    check_time("2026-12-01T03:00:00Z", 1796094000);
    check_time("2026-12-01 03:00+01:00", 1796090400);
    check_time("2026-12-01 03:00:30-0530", -1);
    check_time("2026-12-01 03:00:30-05:30", 1796113830);
    check_time("2026-12-01 03:00", 1796112000);    /* local: five hours behind */
    check_time("2026-07-01 03:00", 1782889200);    /* four in summer */
    check_time("2026-02-31 03:00Z", -1);
    check_time("2026-02-31 03:00", -1);
    check_time("tomorrow", -1);
    check_time("2026-12-01", -1);
    check_time("2026-12-01 03:00 later", -1);
    check_time("", -1);
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"errors", test_err},   {"buffers", test_buf}, {"time text", test_clock_text},
        {"units", test_units},  {"json", test_json},   {"files", test_files},
        {"programs", test_proc}, {"programs beside us", test_proc_start},
        {"programs of another user", test_proc_user}, {"channel", test_channel},
        {"loop", test_loop},
        {"log", test_log},      {"secrets", test_secret}, {"rate", test_rate}, {"times", test_times}, {NULL, NULL},
    };
    return unit_main("base", tests);
}
