/* The spool without a server: messages made by hand, every place where a file may be torn, and a disk
 * that fills or fails on demand (pwrite() and fdatasync() are wrapped by the linker). */
#include "unit.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "cdc/segment.h"
#include "cdc/spool.h"

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static int64_t room = -1; /* bytes until the disk is full, -1: enough */
static bool sync_fails;

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    if (room == 0) {
        errno = ENOSPC;
        return -1;
    }
    if (room > 0 && (int64_t)len > room)
        len = (size_t)room;
    if (room > 0)
        room -= (int64_t)len;
    return __real_pwrite(fd, data, len, offset);
}

int __wrap_fdatasync(int fd)
{
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

static char base[64]; /* in memory where there is such a place: these tests sync a lot */
static char dir[128];
static const char identity[] = "migration 1";
static struct spool_options options;
static struct err err;

static void fresh(int64_t segment_bytes)
{
    static int number;

    snprintf(dir, sizeof dir, "%s/%d", base, ++number);
    options = (struct spool_options){
        .segment_bytes = segment_bytes, .start_lsn = 1000, .confirmed_lsn = 1000};
}

static struct spool_writer *writer_open(void)
{
    struct spool_writer *w = NULL;

    spool_writer_open(dir, identity, &options, &w, &err);
    CHECK_STR(err.message, NULL);
    err_clear(&err);
    return w;
}

static void expect_refused(enum err_code code, const char *part)
{
    struct spool_writer *w = NULL;

    CHECK_TRUE(!spool_writer_open(dir, identity, &options, &w, &err));
    CHECK_TRUE(!w);
    CHECK_INT(err.code, code);
    CHECK_CONTAINS(err.message, part);
    err_clear(&err);
}

static bool append(struct spool_writer *w, const struct buf *message)
{
    bool ok = spool_append(w, 5, message->data, message->len, &err);

    CHECK_STR(err.message, NULL);
    return ok;
}

static void put_begin(struct spool_writer *w, lsn_t commit_lsn)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'B');
    buf_put_u64(&out, commit_lsn);
    buf_put_u64(&out, 0);
    buf_put_u32(&out, 1);
    append(w, &out);
    buf_release(&out);
}

static void put_commit(struct spool_writer *w, lsn_t commit_lsn)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'C');
    buf_addch(&out, 0);
    buf_put_u64(&out, commit_lsn);
    buf_put_u64(&out, commit_lsn + 10);
    buf_put_u64(&out, 0);
    append(w, &out);
    buf_release(&out);
}

/* Not decoded here: kind and OID are all that the spool looks at. */
static void put_text(struct spool_writer *w, char kind, const char *text)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, kind);
    buf_put_u32(&out, 7);
    buf_addstr(&out, text);
    append(w, &out);
    buf_release(&out);
}

static void put_outside(struct spool_writer *w, lsn_t lsn)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'M');
    buf_addch(&out, 0);
    buf_put_u64(&out, lsn);
    buf_add(&out, "p\0\0\0\0\0", 6);
    append(w, &out);
    buf_release(&out);
}

/* A transaction of `rows` inserts that commits at lsn (its end: lsn + 10). */
static void put_transaction(struct spool_writer *w, lsn_t lsn, int rows)
{
    char text[64];

    put_begin(w, lsn);
    for (int i = 0; i < rows; i++) {
        snprintf(text, sizeof text, "%d.%d", (int)lsn, i);
        put_text(w, 'I', text);
    }
    put_commit(w, lsn);
}

/* Streamed transactions: parts of them, changes of their (sub)transactions, commits and rollbacks. */
static void put_xids(struct spool_writer *w, char kind, uint32_t xid, const void *rest, size_t len)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, kind);
    buf_put_u32(&out, xid);
    buf_add(&out, rest, len);
    append(w, &out);
    buf_release(&out);
}

static void put_stop(struct spool_writer *w)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'E');
    append(w, &out);
    buf_release(&out);
}

static void put_change(struct spool_writer *w, uint32_t xid, char kind, const char *text)
{
    struct buf rest = BUF_INIT;

    buf_put_u32(&rest, 7);
    buf_addstr(&rest, text);
    put_xids(w, kind, xid, rest.data, rest.len);
    buf_release(&rest);
}

static void put_part(struct spool_writer *w, uint32_t top, bool first, uint32_t xid, const char *text)
{
    put_xids(w, 'S', top, first ? "\1" : "\0", 1);
    put_change(w, xid, 'I', text);
    put_stop(w);
}

static void put_rollback(struct spool_writer *w, uint32_t xid, uint32_t subxid)
{
    struct buf rest = BUF_INIT;

    buf_put_u32(&rest, subxid);
    put_xids(w, 'A', xid, rest.data, rest.len);
    buf_release(&rest);
}

static void put_stream_commit(struct spool_writer *w, uint32_t xid, lsn_t commit_lsn)
{
    struct buf rest = BUF_INIT;

    buf_addch(&rest, 0);
    buf_put_u64(&rest, commit_lsn);
    buf_put_u64(&rest, commit_lsn + 10);
    buf_put_u64(&rest, 77);
    put_xids(w, 'c', xid, rest.data, rest.len);
    buf_release(&rest);
}

static void sync_all(struct spool_writer *w)
{
    CHECK_TRUE(spool_sync(w, &err));
    CHECK_STR(err.message, NULL);
}

/* What a reader from lsn gets up to limit, as "B1100 I1100.0 C1100 ..."; Relation messages as "R". */
static char *read_back(lsn_t lsn, struct spool_position limit)
{
    struct spool_reader *reader = NULL;
    struct spool_record record;
    struct segment_peek peek;
    struct buf out = BUF_INIT;
    int got = -1;

    if (spool_reader_open(dir, identity, lsn, &reader, &err))
        while ((got = spool_reader_next(reader, &limit, &record, &err)) > 0) {
            if (record.type == SPOOL_MARK) {
                buf_addf(&out, "p%d ", (int)record.lsn);
            } else {
                CHECK_TRUE(segment_peek(record.data, record.len, &peek));
                buf_addch(&out, peek.kind);
                if (peek.commit_lsn)
                    buf_addf(&out, "%d", (int)peek.commit_lsn);
                else if (peek.kind == 'I')
                    buf_add(&out, record.data + 5, record.len - 5);
                buf_addch(&out, ' ');
            }
            memset(record.data, 0xff, record.len + 1); /* as the decoder may */
        }
    if (got < 0)
        buf_addf(&out, "error %d: %s", (int)err.code, err.message);
    err_clear(&err);
    spool_reader_close(reader);
    return buf_take(&out);
}

static void expect_read(lsn_t lsn, struct spool_position limit, const char *want)
{
    char *got = read_back(lsn, limit);

    CHECK_STR(got, want);
    free(got);
}

static void test_round_trip(void)
{
    fresh(0);
    struct spool_writer *w = writer_open();
    CHECK_INT(spool_end(w).lsn, 1000);
    expect_read(1000, spool_synced(w), "");
    put_transaction(w, 1000, 2);
    CHECK_INT(spool_end(w).lsn, 1010);
    CHECK_INT(spool_synced(w).lsn, 1000);
    expect_read(1000, spool_synced(w), "");
    sync_all(w);
    CHECK_INT(spool_synced(w).lsn, 1010);
    CHECK_INT(spool_unsynced_bytes(w), 0);
    put_outside(w, 1020);
    put_begin(w, 1030);
    CHECK_TRUE(spool_in_transaction(w));
    put_text(w, 'I', "half");
    sync_all(w);
    CHECK_INT(spool_synced(w).lsn, 1020);
    expect_read(1000, spool_synced(w), "B1000 I1000.0 I1000.1 C1000 M1020 ");
    expect_read(1010, spool_synced(w), "M1020 ");
    put_commit(w, 1030);
    CHECK_TRUE(spool_mark(w, 1100, &err));
    sync_all(w);
    expect_read(1000, spool_synced(w), "B1000 I1000.0 I1000.1 C1000 M1020 B1030 Ihalf C1030 p1100 ");
    expect_read(1030, spool_synced(w), "B1030 Ihalf C1030 p1100 ");
    expect_read(1031, spool_synced(w), "p1100 ");
    expect_read(1100, spool_synced(w), "");
    spool_writer_close(w);
    w = writer_open();
    CHECK_INT(spool_end(w).lsn, 1100);
    spool_writer_close(w);
}

/* Readers need not wait for the disk; what they may read outlives the writer. */
static void test_readable(void)
{
    fresh(0);
    struct spool_writer *w = writer_open();
    put_transaction(w, 1000, 1);
    CHECK_INT(spool_readable(w).lsn, 1000);
    put_begin(w, 1020);
    sync_fails = true; /* it is not tried */
    CHECK_TRUE(spool_write(w, &err));
    CHECK_INT(spool_readable(w).lsn, 1010); /* not the half one */
    CHECK_INT(spool_synced(w).lsn, 1000);
    CHECK_TRUE(spool_unsynced_bytes(w) > 0);
    expect_read(1000, spool_readable(w), "B1000 I1000.0 C1000 ");
    put_commit(w, 1020);
    CHECK_INT(spool_readable(w).lsn, 1010);
    CHECK_TRUE(spool_write(w, &err));
    struct spool_position told = spool_readable(w);
    CHECK_INT(told.lsn, 1030);
    sync_fails = false;
    spool_writer_close(w);
    w = writer_open();
    CHECK_INT(spool_end(w).lsn, told.lsn);
    CHECK_INT(spool_readable(w).offset, told.offset);
    CHECK_INT(spool_synced(w).lsn, told.lsn);
    expect_read(1000, told, "B1000 I1000.0 C1000 B1020 C1020 ");
    put_transaction(w, 1040, 1);
    CHECK_TRUE(spool_write(w, &err));
    sync_fails = true;
    CHECK_TRUE(!spool_sync(w, &err));
    err_clear(&err);
    sync_fails = false;
    CHECK_INT(spool_readable(w).lsn, told.lsn); /* what could not be synced is taken back */
    spool_writer_close(w);
}

static size_t read_changes(lsn_t lsn, struct spool_position limit)
{
    char *got = read_back(lsn, limit);
    size_t count = 0;

    for (const char *at = got; (at = strchr(at, 'I')); at++)
        count++;
    CHECK_TRUE(!strchr(got, 'e')); /* no "error" */
    free(got);
    return count;
}

/* A large transaction can be read before its end is here; a small one, and what is gone with its writer, cannot. */
static void test_ahead(void)
{
    struct spool_position ahead, before;
    int64_t changes;
    char row[4001];

    memset(row, 'x', sizeof row - 1);
    row[sizeof row - 1] = '\0';
    fresh(SPOOL_SEGMENT_BYTES);
    struct spool_writer *w = writer_open();
    put_transaction(w, 1000, 2);
    put_begin(w, 1020);
    put_text(w, 'I', row);
    CHECK_TRUE(spool_write(w, &err));
    CHECK_TRUE(!spool_ahead(w, &ahead, &changes));
    for (int i = 1; i < 1500; i++)
        put_text(w, 'I', row);
    CHECK_TRUE(spool_write(w, &err));
    CHECK_TRUE(spool_ahead(w, &ahead, &changes));
    CHECK_INT(changes, 1502);
    CHECK_INT(ahead.lsn, 1010);
    CHECK_INT(read_changes(1010, ahead), 1500);
    CHECK_INT(spool_readable(w).lsn, 1010);
    before = ahead;
    for (int i = 0; i < 1000; i++)
        put_text(w, 'I', row);
    CHECK_TRUE(spool_ahead(w, &ahead, &changes)); /* it is written out by the way */
    CHECK_TRUE(ahead.offset > before.offset && changes > 1502);
    put_commit(w, 1020);
    CHECK_TRUE(!spool_ahead(w, &ahead, &changes));
    sync_all(w);
    put_begin(w, 1040);
    for (int i = 0; i < 1500; i++)
        put_text(w, 'I', row);
    CHECK_TRUE(spool_write(w, &err));
    CHECK_TRUE(spool_ahead(w, &ahead, &changes));
    sync_fails = true;
    CHECK_TRUE(!spool_sync(w, &err));
    err_clear(&err);
    sync_fails = false;
    CHECK_TRUE(!spool_ahead(w, &ahead, &changes));
    spool_writer_close(w);
    w = writer_open();
    CHECK_TRUE(!spool_ahead(w, &ahead, &changes));
    CHECK_INT(read_changes(1010, spool_readable(w)), 2500);
    spool_writer_close(w);
}

/* One reader that goes on as the limit moves sees everything once. */
static void test_follow(void)
{
    struct spool_reader *reader = NULL;
    struct spool_record record;
    int transactions = 0, changes = 0;

    fresh(300);
    struct spool_writer *w = writer_open();
    CHECK_TRUE(spool_reader_open(dir, identity, 1000, &reader, &err));
    for (int i = 0; i < 50; i++) {
        put_begin(w, (lsn_t)(1000 + 20 * i));
        put_text(w, 'R', "relation");
        put_text(w, 'I', "row");
        put_commit(w, (lsn_t)(1000 + 20 * i));
        if (i % 3 == 0)
            sync_all(w);
        struct spool_position limit = spool_synced(w);
        while (spool_reader_next(reader, &limit, &record, &err) > 0) {
            transactions += record.data[0] == 'C';
            changes += record.data[0] == 'I';
        }
    }
    sync_all(w);
    struct spool_position limit = spool_synced(w);
    while (spool_reader_next(reader, &limit, &record, &err) > 0)
        transactions += record.data[0] == 'C';
    CHECK_STR(err.message, NULL);
    CHECK_INT(transactions, 50);
    CHECK_TRUE(limit.segment > 10);
    CHECK_TRUE(changes >= 49);
    spool_reader_close(reader);
    spool_writer_close(w);
}

static char *segment_1(void)
{
    return segment_path(dir, 1);
}

static void copy_spool(const struct buf *content)
{
    char *path = segment_1();

    CHECK_TRUE(dir_make_private(dir, &err));
    CHECK_TRUE(file_replace(path, content->data, content->len, &err));
    free(path);
}

/* Cut at every byte, the spool opens at the last whole commit and takes the rest again. */
static void test_torn(void)
{
    struct buf content = BUF_INIT;
    char *path;

    fresh(0);
    struct spool_writer *w = writer_open();
    uint64_t empty = spool_end(w).offset;
    put_transaction(w, 1000, 2);
    uint64_t first = spool_end(w).offset;
    put_transaction(w, 1020, 2);
    uint64_t second = spool_end(w).offset;
    sync_all(w);
    spool_writer_close(w);
    path = segment_1();
    CHECK_TRUE(file_read(path, &content, &err));
    free(path);
    CHECK_INT(content.len, second);
    for (uint64_t len = empty; len <= second; len++) {
        struct buf part = BUF_INIT;
        fresh(0);
        buf_add(&part, content.data, len);
        if (len % 2) /* sometimes there is rubbish behind it */
            buf_addstr(&part, "rubbish of some length, as a file system may leave it");
        copy_spool(&part);
        buf_release(&part);
        w = writer_open();
        CHECK_INT(spool_end(w).lsn, len == second ? 1030 : len >= first ? 1010 : 1000);
        if (len < first)
            put_transaction(w, 1000, 2);
        if (len < second)
            put_transaction(w, 1020, 2);
        sync_all(w);
        expect_read(1000, spool_synced(w),
                    "B1000 I1000.0 I1000.1 C1000 B1020 I1020.0 I1020.1 C1020 ");
        spool_writer_close(w);
    }
    buf_release(&content);
}

/* Every byte is covered: a reader refuses each single change, and what comes before is right. */
static void test_damage(void)
{
    struct buf content = BUF_INIT;

    fresh(0);
    struct spool_writer *w = writer_open();
    put_transaction(w, 1000, 2);
    sync_all(w);
    struct spool_position limit = spool_synced(w);
    spool_writer_close(w);
    char *path = segment_1();
    CHECK_TRUE(file_read(path, &content, &err));
    free(path);
    fresh(0);
    for (size_t i = 0; i < content.len; i++) {
        content.data[i] ^= 0x10;
        copy_spool(&content);
        content.data[i] ^= 0x10;
        char *got = read_back(1000, limit);
        CHECK_CONTAINS(got, "error");
        CHECK_TRUE(strncmp(got, "B1000 I1000.0 I1000.1 C1000 ", strcspn(got, "e")) == 0);
        free(got);
    }
    buf_release(&content);
}

/* Small segments, also inside transactions: from every commit on, the rest is read, with Relations. */
static void test_segments(void)
{
    fresh(200);
    struct spool_writer *w = writer_open();
    for (int i = 0; i < 20; i++) {
        put_begin(w, (lsn_t)(1000 + 20 * i));
        if (i == 0)
            put_text(w, 'R', "t");
        for (int row = 0; row < i; row++)
            put_text(w, 'I', "a row that takes some room");
        put_commit(w, (lsn_t)(1000 + 20 * i));
    }
    sync_all(w);
    struct spool_position limit = spool_synced(w);
    CHECK_TRUE(limit.segment > 20);
    for (int i = 0; i < 20; i++) {
        struct buf want = BUF_INIT;
        char *got = read_back((lsn_t)(1000 + 20 * i), limit);
        char *body = got;
        while (strncmp(body, "R ", 2) == 0)
            body += 2;
        CHECK_TRUE(i == 0 || body > got);
        for (int k = i; k < 20; k++) {
            buf_addf(&want, "B%d ", 1000 + 20 * k);
            if (k == 0)
                buf_addstr(&want, "R ");
            for (int row = 0; row < k; row++)
                buf_addstr(&want, "Ia row that takes some room ");
            buf_addf(&want, "C%d ", 1000 + 20 * k);
        }
        CHECK_STR(body, want.data);
        buf_release(&want);
        free(got);
    }
    spool_writer_close(w);
}

static void test_drop(void)
{
    struct segment_list list = {0};

    fresh(200);
    struct spool_writer *w = writer_open();
    for (int i = 0; i < 10; i++)
        put_transaction(w, (lsn_t)(1000 + 20 * i), 10);
    sync_all(w);
    int64_t all = spool_bytes(dir);
    CHECK_TRUE(spool_drop_before(dir, 1000, &err));
    CHECK_INT(spool_bytes(dir), all);
    for (int i = 0; i < 10; i++) {
        lsn_t done = (lsn_t)(1010 + 20 * i);
        CHECK_TRUE(spool_drop_before(dir, done, &err));
        char *got = read_back(done, spool_synced(w));
        char want[32];
        snprintf(want, sizeof want, "B%d ", (int)done + 10);
        CHECK_TRUE(i == 9 ? !*got : strncmp(got, want, strlen(want)) == 0);
        free(got);
    }
    CHECK_TRUE(segment_list_load(&list, dir, &err));
    CHECK_TRUE(list.count <= 2);
    segment_list_release(&list);
    char *got = read_back(1000, spool_synced(w));
    CHECK_CONTAINS(got, "changes from 0/3E8 on are needed");
    free(got);
    spool_writer_close(w);
    w = writer_open();
    CHECK_INT(spool_end(w).lsn, 1190);
    spool_writer_close(w);
}

/* Readers that open while another process drops what they do not need are never told of gaps. */
static void test_drop_meanwhile(void)
{
    fresh(200);
    struct spool_writer *w = writer_open();
    for (int i = 0; i < 400; i++)
        put_transaction(w, (lsn_t)(1000 + 20 * i), 10);
    sync_all(w);
    struct spool_position limit = spool_synced(w);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 400; i++)
            spool_drop_before(dir, (lsn_t)(1000 + 20 * i), NULL);
        _exit(0);
    }
    int opened = 0;
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        struct spool_reader *reader = NULL;
        CHECK_TRUE(spool_reader_open(dir, identity, limit.lsn, &reader, &err));
        CHECK_STR(err.message, NULL);
        err_clear(&err);
        spool_reader_close(reader);
        opened++;
    }
    CHECK_TRUE(opened > 0);
    spool_writer_close(w);
}

/* A transaction half received over many segments goes away on opening, and Relations with it. */
static void test_half_transaction(void)
{
    fresh(200);
    struct spool_writer *w = writer_open();
    put_transaction(w, 1000, 1);
    put_begin(w, 1020);
    put_text(w, 'R', "of the half transaction");
    for (int i = 0; i < 100; i++)
        put_text(w, 'I', "a row that takes some room");
    sync_all(w);
    CHECK_INT(spool_synced(w).lsn, 1010);
    expect_read(1000, spool_synced(w), "B1000 I1000.0 C1000 "); /* and nothing of the half one */
    int64_t before = spool_bytes(dir);
    spool_writer_close(w);
    w = writer_open();
    CHECK_INT(spool_end(w).lsn, 1010);
    CHECK_TRUE(spool_bytes(dir) < before / 4);
    for (int i = 0; i < 10; i++)
        put_transaction(w, (lsn_t)(1020 + 20 * i), 5);
    sync_all(w);
    char *got = read_back(1200, spool_synced(w));
    CHECK_TRUE(strncmp(got, "B1200 I1200.0", 13) == 0); /* no R comes first */
    free(got);
    spool_writer_close(w);
}

static void test_refusals(void)
{
    struct spool_writer *second = NULL;

    fresh(200);
    options.start_lsn = LSN_INVALID;
    expect_refused(ERR_PREREQUISITE, "is lost");
    options.start_lsn = 900;
    expect_refused(ERR_PREREQUISITE, "was told that everything before 0/3E8 is safe");
    options.start_lsn = 1000;
    struct spool_writer *w = writer_open();
    CHECK_TRUE(!spool_writer_open(dir, identity, &options, &second, &err));
    CHECK_CONTAINS(err.message, "in use");
    CHECK_TRUE(err.retryable);
    err_clear(&err);
    for (int i = 0; i < 10; i++)
        put_transaction(w, (lsn_t)(1000 + 20 * i), 10);
    sync_all(w);
    struct spool_position limit = spool_synced(w);
    spool_writer_close(w);

    options.confirmed_lsn = 1191;
    int64_t bytes = spool_bytes(dir);
    expect_refused(ERR_PREREQUISITE, "ends at 0/4A6");
    CHECK_INT(spool_bytes(dir), bytes);
    options.confirmed_lsn = 1190;
    struct spool_reader *reader = NULL;
    CHECK_TRUE(!spool_reader_open(dir, "another", 1000, &reader, &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_CONTAINS(err.message, "another migration");
    CHECK_CONTAINS(err.detail, "\"migration 1\", not for \"another\"");
    err_clear(&err);

    char *path = segment_path(dir, 3);
    CHECK_INT(unlink(path), 0);
    free(path);
    expect_refused(ERR_PROTOCOL, "lacks segment 3");
    char *got = read_back(1000, limit);
    CHECK_CONTAINS(got, "lacks segment 3");
    free(got);
    for (uint64_t number = 1; number < limit.segment; number++) {
        path = segment_path(dir, number);
        unlink(path);
        free(path);
    }
    got = read_back(1000, limit);
    CHECK_CONTAINS(got, "changes from 0/3E8 on are needed");
    free(got);
}

static void expect_disorder(struct spool_writer *w, const char *kinds, lsn_t lsn)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, kinds[0]);
    if (kinds[0] == 'C')
        buf_addch(&out, 0);
    buf_put_u64(&out, lsn);
    buf_put_u64(&out, lsn + 10);
    buf_put_u64(&out, 0);
    CHECK_TRUE(!spool_append(w, 5, out.data, out.len, &err));
    CHECK_INT(err.code, ERR_PROTOCOL);
    CHECK_CONTAINS(err.message, kinds + 1);
    err_clear(&err);
    buf_release(&out);
}

static void test_order(void)
{
    fresh(0);
    struct spool_writer *w = writer_open();
    expect_disorder(w, "Ba transaction", 999);
    expect_disorder(w, "Ca commit", 1000);
    expect_disorder(w, "Ia change", 1000);
    put_begin(w, 1000);
    expect_disorder(w, "Ba transaction", 1100);
    expect_disorder(w, "Ca commit", 1001);
    CHECK_TRUE(!spool_mark(w, 1005, &err));
    err_clear(&err);
    CHECK_TRUE(!spool_append(w, 5, "", 0, &err));
    CHECK_CONTAINS(err.message, "ends early");
    err_clear(&err);
    CHECK_TRUE(!spool_append(w, 5, "C123", 4, &err));
    err_clear(&err);
    spool_writer_close(w);
}

/* Nothing half written stays at the end of any file. */
static void expect_whole_records(void)
{
    struct segment_list list = {0};

    CHECK_TRUE(segment_list_load(&list, dir, &err));
    for (size_t i = 0; i < list.count; i++) {
        struct segment_file file;
        struct spool_record record;
        CHECK_TRUE(segment_open(&file, dir, list.numbers[i], identity, &err));
        int got;
        while ((got = segment_next(&file, segment_size(&file), &record, &err)) > 0)
            ;
        CHECK_INT(got, 0);
        err_clear(&err);
        segment_close(&file);
    }
    segment_list_release(&list);
}

/* The disk fills at every possible byte; nothing is lost, and nothing half written is seen. */
static void test_disk_full(void)
{
    char reason[64];

    for (int64_t bytes = 0; bytes < 600; bytes += 7) {
        fresh(300);
        struct spool_writer *w = writer_open();
        put_transaction(w, 1000, 1);
        sync_all(w);
        room = bytes;
        for (int i = 1; i < 5; i++)
            put_transaction(w, (lsn_t)(1000 + 20 * i), 3);
        sync_all(w);
        CHECK_TRUE(spool_is_full(w));
        CHECK_CONTAINS(spool_full_reason(w, reason, sizeof reason), "no space left");
        lsn_t safe = spool_synced(w).lsn;
        CHECK_TRUE(safe < 1090);
        expect_whole_records();
        char *got = read_back(1000, spool_synced(w));
        CHECK_TRUE(!strstr(got, "error"));
        free(got);
        if (bytes % 2) { /* ended while full: everything synced is there */
            spool_writer_close(w);
            room = -1;
            w = writer_open();
            CHECK_TRUE(spool_end(w).lsn >= safe);
            for (int i = 1; i < 5; i++)
                if ((lsn_t)(1000 + 20 * i) >= spool_end(w).lsn)
                    put_transaction(w, (lsn_t)(1000 + 20 * i), 3);
        }
        room = -1;
        sync_all(w);
        CHECK_TRUE(!spool_is_full(w));
        expect_read(1000, spool_synced(w),
                    "B1000 I1000.0 C1000 B1020 I1020.0 I1020.1 I1020.2 C1020 "
                    "B1040 I1040.0 I1040.1 I1040.2 C1040 B1060 I1060.0 I1060.1 I1060.2 C1060 "
                    "B1080 I1080.0 I1080.1 I1080.2 C1080 ");
        spool_writer_close(w);
    }
}

static void test_sync_fails(void)
{
    fresh(0);
    struct spool_writer *w = writer_open();
    put_transaction(w, 1000, 1);
    sync_all(w);
    put_transaction(w, 1020, 1);
    sync_fails = true;
    CHECK_TRUE(!spool_sync(w, &err));
    CHECK_CONTAINS(err.message, "could not sync");
    err_clear(&err);
    sync_fails = false;
    CHECK_INT(spool_synced(w).lsn, 1010);
    CHECK_TRUE(!spool_sync(w, &err));
    CHECK_CONTAINS(err.message, "opened again");
    err_clear(&err);
    spool_writer_close(w);
    w = writer_open();
    CHECK_INT(spool_end(w).lsn, 1010);
    spool_writer_close(w);
}

/* A message larger than the limit that ends a segment: it can be dropped, too. */
static void test_limit_and_large_message(void)
{
    static char text[20000];
    struct buf out = BUF_INIT;

    fresh(0);
    options.limit_bytes = 8000;
    struct spool_writer *w = writer_open();
    buf_addch(&out, 'M');
    buf_addch(&out, 0);
    buf_put_u64(&out, 1005);
    buf_add(&out, text, sizeof text);
    append(w, &out);
    buf_release(&out);
    sync_all(w);
    CHECK_TRUE(spool_is_full(w));
    CHECK_TRUE(spool_drop_before(dir, 1005, &err));
    usleep(600000);
    CHECK_TRUE(!spool_is_full(w));
    put_transaction(w, 1020, 1);
    sync_all(w);
    expect_read(1006, spool_synced(w), "B1020 I1020.0 C1020 ");
    spool_writer_close(w);
}

static void test_limit(void)
{
    char reason[64];
    int sent = 0;

    fresh(0);
    options.limit_bytes = 8000;
    struct spool_writer *w = writer_open();
    while (!spool_is_full(w) && sent < 1000) {
        put_transaction(w, (lsn_t)(1000 + 20 * sent++), 3);
        sync_all(w);
    }
    CHECK_TRUE(sent > 20 && sent < 100);
    CHECK_CONTAINS(spool_full_reason(w, reason, sizeof reason), "limit of 7.8 kB");
    sync_all(w);
    CHECK_TRUE(spool_is_full(w));
    CHECK_TRUE(spool_drop_before(dir, spool_synced(w).lsn, &err));
    usleep(600000); /* it counts twice a second */
    CHECK_TRUE(!spool_is_full(w));
    /* A transaction larger than the limit: taken whole once nothing else is left to drop. */
    lsn_t lsn = (lsn_t)(1000 + 20 * sent);
    lsn_t applied = spool_synced(w).lsn;
    put_begin(w, lsn);
    for (int i = 0; i < 1000; i++) {
        put_text(w, 'I', "a row that takes some room");
        if (spool_is_full(w)) {
            CHECK_TRUE(spool_drop_before(dir, applied, &err));
            usleep(600000);
            CHECK_TRUE(!spool_is_full(w));
        }
    }
    put_commit(w, lsn);
    sync_all(w);
    CHECK_TRUE(spool_is_full(w));
    sync_all(w);
    CHECK_TRUE(spool_drop_before(dir, spool_synced(w).lsn, &err));
    usleep(600000);
    CHECK_TRUE(!spool_is_full(w));
    spool_writer_close(w);
}

/* Random streams, ends and torn tails: what is read in the end is what was sent, once, in order. */
static void test_random(void)
{
    fresh(150);
    srand(20);
    struct spool_writer *w = writer_open();
    struct buf want = BUF_INIT;
    int next = 0, half = 0;
    while (next < 300) {
        lsn_t lsn = (lsn_t)(1000 + 20 * next);
        if (rand() % 8 == 0) { /* the process ends, perhaps inside this transaction */
            put_begin(w, lsn);
            for (int i = rand() % 30; i > 0; i--)
                put_text(w, 'I', "half");
            if (rand() % 2)
                sync_all(w);
            options.confirmed_lsn = spool_synced(w).lsn;
            spool_writer_close(w);
            w = writer_open();
            CHECK_TRUE(spool_end(w).lsn >= options.confirmed_lsn);
            next = (int)((spool_end(w).lsn - 1000 + 19) / 20);
            half++;
            continue;
        }
        put_transaction(w, lsn, next % 13);
        next++;
        if (rand() % 3 == 0)
            sync_all(w);
    }
    sync_all(w);
    for (int i = 0; i < next; i++) {
        buf_addf(&want, "B%d ", 1000 + 20 * i);
        for (int row = 0; row < i % 13; row++)
            buf_addf(&want, "I%d.%d ", 1000 + 20 * i, row);
        buf_addf(&want, "C%d ", 1000 + 20 * i);
    }
    expect_read(1000, spool_synced(w), want.data);
    CHECK_TRUE(half > 10);
    buf_release(&want);
    spool_writer_close(w);
}

/* Records larger than the read-ahead, with the spare byte behind them. */
static void test_large(void)
{
    struct spool_reader *reader = NULL;
    struct spool_record record;
    size_t size = 3 << 20;
    char *text = malloc(size);

    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    fresh(0);
    struct spool_writer *w = writer_open();
    put_begin(w, 1000);
    put_text(w, 'I', text);
    put_text(w, 'I', "small");
    put_text(w, 'I', text);
    put_commit(w, 1000);
    sync_all(w);
    struct spool_position limit = spool_synced(w);
    CHECK_TRUE(spool_reader_open(dir, identity, 1000, &reader, &err));
    for (int i = 0; i < 5; i++) {
        CHECK_INT(spool_reader_next(reader, &limit, &record, &err), 1);
        if (i == 1 || i == 3) {
            CHECK_INT(record.len, size + 4);
            CHECK_TRUE(memcmp(record.data + 5, text, size - 1) == 0);
        }
        record.data[record.len] = '\0';
    }
    CHECK_INT(spool_reader_next(reader, &limit, &record, &err), 0);
    spool_reader_close(reader);
    spool_writer_close(w);
    free(text);
}

/* The steps of a stream with two large transactions, rollbacks and small ones between. */
static void stream_step(struct spool_writer *w, int step)
{
    switch (step) {
    case 0: put_part(w, 50, true, 50, "50.a"); break;
    case 1: put_transaction(w, 1000, 1); break;
    case 2: put_part(w, 60, true, 60, "60.a"); break;
    case 3:
        put_xids(w, 'S', 50, "\0", 1);
        put_change(w, 51, 'R', "lost");
        put_change(w, 51, 'I', "51.lost");
        put_change(w, 52, 'R', "kept");
        put_change(w, 52, 'I', "52.kept");
        put_stop(w);
        break;
    case 4: put_rollback(w, 50, 51); break;
    case 5: put_part(w, 70, true, 71, "never"); break;
    case 6: put_transaction(w, 1020, 1); break;
    case 7: put_part(w, 50, false, 50, "50.b"); break;
    case 8: put_stream_commit(w, 50, 1040); break;
    case 9: put_rollback(w, 70, 70); break;
    case 10: put_part(w, 60, false, 60, "60.b"); break;
    case 11: put_transaction(w, 1060, 1); break;
    case 12: put_stream_commit(w, 60, 1080); break;
    case 13: put_transaction(w, 1100, 1); break;
    }
}

#define STREAM_STEPS 14
#define STREAM_50 "B1040 I50.a R I52.kept I50.b C1040 "
#define STREAM_60 "B1080 I60.a I60.b C1080 "
static const char stream_read[] = "B1000 I1000.0 C1000 B1020 I1020.0 C1020 " STREAM_50
                                  "B1060 I1060.0 C1060 " STREAM_60 "B1100 I1100.0 C1100 ";

/* Only what commits at lsn or later is sent (again): all parts of those transactions with it. */
static void stream_from(struct spool_writer *w, lsn_t lsn, int until)
{
    static const lsn_t commits[STREAM_STEPS] = {1040, 1000, 1080, 1040, 1040, 1, 1020,
                                                1040, 1040, 1, 1080, 1060, 1080, 1100};

    for (int i = 0; i < until; i++)
        if (commits[i] >= lsn || commits[i] == 1)
            stream_step(w, i);
}

static int count_files(const char *suffix)
{
    char *command = xasprintf("ls %s | grep -c '%s$'", dir, suffix);
    FILE *pipe = popen(command, "r");
    int count = -1;

    CHECK_INT(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    free(command);
    return count;
}

static void expect_count(lsn_t lsn, struct spool_position limit, int want)
{
    int64_t count;

    CHECK_TRUE(spool_count(dir, identity, lsn, &limit, &count, &err));
    CHECK_STR(err.message, NULL);
    CHECK_INT(count, want);
}

static void test_streamed(void)
{
    fresh(0);
    struct spool_writer *w = writer_open();
    for (int i = 0; i < STREAM_STEPS; i++) {
        stream_step(w, i);
        sync_all(w);
        CHECK_TRUE(!spool_in_transaction(w));
        CHECK_INT(spool_open_bytes(w) > 0, i < 12);
        if (i == 1) { /* between parts a position may be told, and is read */
            CHECK_INT(spool_synced(w).lsn, 1010);
            expect_read(1000, spool_synced(w), "B1000 I1000.0 C1000 ");
        }
        if (i == 7)
            CHECK_INT(count_files(".stream"), 3);
    }
    CHECK_INT(count_files(".stream"), 0);
    CHECK_INT(count_files(".txn"), 2);
    CHECK_INT(spool_changes(w), 9);
    CHECK_INT(spool_open_bytes(w), 0);
    expect_read(1000, spool_synced(w), stream_read);
    expect_count(1000, spool_synced(w), 9);
    expect_count(1040, spool_synced(w), 7);
    expect_count(1041, spool_synced(w), 4);
    expect_count(1110, spool_synced(w), 0);
    /* Left out, but for what is known by it. */
    expect_read(1041, spool_synced(w), "R B1060 I1060.0 C1060 " STREAM_60 "B1100 I1100.0 C1100 ");
    expect_read(1081, spool_synced(w), "R B1100 I1100.0 C1100 ");
    spool_writer_close(w);
    w = writer_open();
    CHECK_INT(spool_end(w).lsn, 1110);
    CHECK_INT(spool_changes(w), 9);
    expect_read(1000, spool_synced(w), stream_read);
    spool_writer_close(w);
}

/* A reader is inside the last segment when its tail is cut off and written anew, otherwise: it must not have read
 * ahead what was no boundary yet. */
static void test_tail_anew(void)
{
    struct spool_reader *reader = NULL;
    struct spool_record record;
    struct buf got = BUF_INIT;

    fresh(0);
    struct spool_writer *w = writer_open();
    put_transaction(w, 1000, 1);
    put_begin(w, 1020);
    put_text(w, 'I', "1020.half");
    sync_all(w);
    struct spool_position limit = spool_synced(w);
    CHECK_TRUE(spool_reader_open(dir, identity, 1000, &reader, &err));
    while (spool_reader_next(reader, &limit, &record, &err) > 0)
        buf_addch(&got, record.data[0]);
    spool_writer_close(w);
    w = writer_open();
    put_part(w, 50, true, 50, "anew");
    put_stream_commit(w, 50, 1020);
    put_transaction(w, 1040, 1);
    sync_all(w);
    limit = spool_synced(w);
    while (spool_reader_next(reader, &limit, &record, &err) > 0)
        buf_add(&got, record.data[0] == 'I' ? record.data + 5 : record.data, 1);
    CHECK_STR(err.message, NULL);
    CHECK_STR(got.data, "BICBaCB1C");
    buf_release(&got);
    spool_reader_close(reader);
    spool_writer_close(w);
}

static void test_streamed_segments(void)
{
    fresh(100);
    struct spool_writer *w = writer_open();
    for (int i = 0; i < STREAM_STEPS; i++) {
        stream_step(w, i);
        sync_all(w);
    }
    CHECK_TRUE(spool_synced(w).segment >= 4);
    expect_read(1000, spool_synced(w), stream_read);
    expect_count(1041, spool_synced(w), 4);
    /* A new segment knows the relation of the transaction that was kept, not the one rolled back. */
    char *got = read_back(1090, spool_synced(w));
    CHECK_STR(got, "R B1100 I1100.0 C1100 ");
    free(got);
    CHECK_TRUE(spool_drop_before(dir, 1020, &err));
    CHECK_INT(count_files(".txn"), 2);
    CHECK_TRUE(spool_drop_before(dir, 1070, &err));
    CHECK_INT(count_files(".txn"), 1);
    expect_read(1070, spool_synced(w), "R " STREAM_60 "B1100 I1100.0 C1100 ");
    CHECK_TRUE(spool_drop_before(dir, 1110, &err));
    CHECK_INT(count_files(".txn"), 0);
    spool_writer_close(w);
}

/* The process ends behind each step, with or without a sync; the source sends again what is not there. */
static void test_streamed_crash(void)
{
    for (int step = 0; step < 2 * STREAM_STEPS; step++) {
        fresh(step % 3 ? 0 : 100);
        pid_t pid = fork();
        if (pid == 0) {
            struct spool_writer *w = writer_open();
            for (int i = 0; i <= step / 2; i++)
                stream_step(w, i);
            if (step % 2)
                spool_sync(w, &err);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
        struct spool_writer *w = writer_open();
        CHECK_INT(count_files(".stream"), 0);
        stream_from(w, spool_end(w).lsn, STREAM_STEPS);
        sync_all(w);
        expect_read(1000, spool_synced(w), stream_read);
        CHECK_INT(spool_changes(w), 9);
        CHECK_INT(count_files(".txn"), 2);
        spool_writer_close(w);
    }
}

/* Cut at every byte, too: what stands for a transaction is there or not, and its file with it. */
static void test_streamed_torn(void)
{
    struct buf content = BUF_INIT;

    fresh(0);
    struct spool_writer *w = writer_open();
    uint64_t empty = spool_end(w).offset;
    stream_from(w, 1, STREAM_STEPS);
    sync_all(w);
    uint64_t end = spool_end(w).offset;
    spool_writer_close(w);
    char *path = segment_1();
    CHECK_TRUE(file_read(path, &content, &err));
    free(path);
    char *whole = xstrdup(dir);
    for (uint64_t len = empty; len <= end; len++) {
        struct buf part = BUF_INIT;
        fresh(0);
        buf_add(&part, content.data, len);
        copy_spool(&part);
        buf_release(&part);
        char *command = xasprintf("cp %s/*.txn %s/", whole, dir);
        CHECK_INT(system(command), 0);
        free(command);
        w = writer_open();
        CHECK_INT(count_files(".txn"), spool_end(w).lsn >= 1090 ? 2 : spool_end(w).lsn >= 1050);
        stream_from(w, spool_end(w).lsn, STREAM_STEPS);
        sync_all(w);
        expect_read(1000, spool_synced(w), stream_read);
        spool_writer_close(w);
    }
    free(whole);
    buf_release(&content);
}

/* The disk is full after any number of bytes; nothing is lost, and no file stays. */
static void test_streamed_disk_full(void)
{
    for (int bytes = 0; bytes < 900; bytes += 11) {
        fresh(bytes % 2 ? 0 : 200);
        struct spool_writer *w = writer_open();
        room = bytes;
        for (int i = 0; i < STREAM_STEPS; i++) {
            stream_step(w, i);
            CHECK_TRUE(spool_sync(w, &err));
            if (spool_is_full(w)) {
                char reason[64];
                CHECK_CONTAINS(spool_full_reason(w, reason, sizeof reason), "no space left");
                char *got = read_back(1000, spool_synced(w));
                CHECK_TRUE(!strstr(got, "error"));
                free(got);
                room = -1;
                CHECK_TRUE(spool_sync(w, &err));
                CHECK_TRUE(!spool_is_full(w));
            }
        }
        room = -1;
        sync_all(w);
        expect_read(1000, spool_synced(w), stream_read);
        CHECK_INT(spool_changes(w), 9);
        CHECK_INT(count_files(".stream"), 0);
        spool_writer_close(w);
    }
}

/* An open transaction larger than the limit: it is taken as long as little else is there. */
static void test_streamed_limit(void)
{
    fresh(0);
    options.limit_bytes = 8000;
    struct spool_writer *w = writer_open();
    put_part(w, 50, true, 50, "50.a");
    for (int i = 0; i < 1000; i++) {
        put_part(w, 50, false, 50, "a row that takes some room");
        CHECK_TRUE(!spool_is_full(w));
    }
    CHECK_TRUE(spool_open_bytes(w) > 40000);
    int sent = 0;
    while (!spool_is_full(w) && sent < 1000)
        put_transaction(w, (lsn_t)(1000 + 20 * sent++), 1);
    CHECK_TRUE(sent > 5 && sent < 40);
    sync_all(w);
    CHECK_TRUE(spool_drop_before(dir, spool_synced(w).lsn, &err));
    usleep(600000);
    CHECK_TRUE(!spool_is_full(w));
    put_stream_commit(w, 50, 5000);
    sync_all(w);
    CHECK_TRUE(spool_is_full(w)); /* now it is something that may be dropped */
    CHECK_TRUE(spool_drop_before(dir, spool_synced(w).lsn, &err));
    usleep(600000);
    CHECK_TRUE(!spool_is_full(w));
    spool_writer_close(w);
}

static void expect_out_of_order(struct spool_writer *w, char kind, uint32_t xid, const void *rest, size_t len)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, kind);
    buf_put_u32(&out, xid);
    buf_add(&out, rest, len);
    CHECK_TRUE(!spool_append(w, 5, out.data, out.len, &err));
    CHECK_INT(err.code, ERR_PROTOCOL);
    CHECK_CONTAINS(err.message, "out of order");
    err_clear(&err);
    buf_release(&out);
}

static void test_streamed_order(void)
{
    fresh(0);
    struct spool_writer *w = writer_open();
    expect_out_of_order(w, 'S', 50, "\0", 1); /* a later part of something unknown */
    expect_out_of_order(w, 'c', 50, "\0aaaaaaaabbbbbbbbcccccccc", 25);
    put_rollback(w, 50, 50); /* harmless */
    put_xids(w, 'S', 40, "\1", 1); /* nothing in it is for us: only its place counts */
    put_stop(w);
    put_stream_commit(w, 40, 1000);
    CHECK_INT(spool_end(w).lsn, 1010);
    CHECK_INT(count_files(".stream") + count_files(".txn"), 0);
    put_part(w, 50, true, 50, "50.a");
    expect_out_of_order(w, 'S', 50, "\1", 1);
    put_xids(w, 'S', 50, "\0", 1);
    CHECK_TRUE(spool_in_transaction(w));
    expect_out_of_order(w, 'S', 60, "\1", 1);
    expect_out_of_order(w, 'B', 0, "aaaaaaaaaaaaaaaaa", 17);
    expect_out_of_order(w, 'A', 50, "aaaa", 4);
    CHECK_TRUE(!spool_mark(w, 2000, &err));
    err_clear(&err);
    put_stop(w);
    put_begin(w, 1010);
    expect_out_of_order(w, 'S', 50, "\0", 1);
    put_commit(w, 1010);
    put_stream_commit(w, 50, 1020);
    sync_all(w);
    expect_read(1000, spool_synced(w), "p1010 B1010 C1010 B1020 I50.a C1020 ");
    spool_writer_close(w);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"round trip", test_round_trip},
        {"readable before it is durable", test_readable},
        {"readable before its commit", test_ahead},
        {"a reader follows", test_follow},
        {"torn at every byte", test_torn},
        {"damage of every byte", test_damage},
        {"segments", test_segments},
        {"drop", test_drop},
        {"drop meanwhile", test_drop_meanwhile},
        {"half a transaction", test_half_transaction},
        {"refusals", test_refusals},
        {"order", test_order},
        {"disk full", test_disk_full},
        {"sync fails", test_sync_fails},
        {"limit", test_limit},
        {"limit and a large message", test_limit_and_large_message},
        {"random ends", test_random},
        {"large records", test_large},
        {"streamed transactions", test_streamed},
        {"a tail written anew", test_tail_anew},
        {"streamed, segments", test_streamed_segments},
        {"streamed, crashes", test_streamed_crash},
        {"streamed, torn", test_streamed_torn},
        {"streamed, disk full", test_streamed_disk_full},
        {"streamed, limit", test_streamed_limit},
        {"streamed, order", test_streamed_order},
        {NULL, NULL},
    };
    snprintf(base, sizeof base, "%s/test_spool.%ld",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : ".", (long)getpid());
    int status = unit_main("spool", tests);
    dir_remove(base, NULL);
    return status;
}
