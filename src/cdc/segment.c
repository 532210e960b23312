#include "cdc/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/xalloc.h"

#define MAGIC "pgcspool"
#define VERSION 2
#define HEADER_FIXED 52 /* magic, version, number, start, open commit, changes, known, identity length */
#define READ_BYTES (256u << 10)

uint64_t segment_int(const char *at, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

char *segment_path(const char *dir, uint64_t number)
{
    return xasprintf("%s/%016" PRIx64 ".spool", dir, number);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

bool segment_list_load(struct segment_list *list, const char *dir, struct err *err)
{
    DIR *handle = opendir(dir);
    struct dirent *entry;

    list->count = 0;
    if (!handle && errno == ENOENT)
        return true;
    if (!handle) {
        err_errno(err, "could not open spool directory \"%s\"", dir);
        return false;
    }
    while ((entry = readdir(handle))) {
        uint64_t number;
        int end = 0;
        if (sscanf(entry->d_name, "%16" SCNx64 ".spool%n", &number, &end) != 1 || end != 22 ||
            entry->d_name[end])
            continue;
        list->numbers = xgrow(list->numbers, list->count, &list->cap, sizeof *list->numbers);
        list->numbers[list->count++] = number;
    }
    closedir(handle);
    if (list->count)
        qsort(list->numbers, list->count, sizeof *list->numbers, compare_numbers);
    return true;
}

void segment_list_release(struct segment_list *list)
{
    free(list->numbers);
    *list = (struct segment_list){0};
}

void segment_explain_loss(struct err *err)
{
    err_detail(err, "Changes are missing that the source has been told it may forget; the target cannot "
                    "be brought up to date from here.");
    err_hint(err, "Cancel the migration and start it anew, which loads the tables again.");
}

bool segment_list_check(const struct segment_list *list, const char *dir, struct err *err)
{
    for (size_t i = 1; i < list->count; i++) {
        if (list->numbers[i] == list->numbers[i - 1] + 1)
            continue;
        err_set(err, ERR_PROTOCOL, "spool \"%s\" lacks segment %" PRIu64, dir,
                list->numbers[i - 1] + 1);
        segment_explain_loss(err);
        return false;
    }
    return true;
}

static void put_int(char *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (char)(value >> (8 * (size - 1 - i)));
}

/* head: room for a record's head, and `kind` bytes of the payload behind it already. */
static void add_record(struct buf *out, char *head, size_t kind, lsn_t lsn, const char *data, size_t len)
{
    put_int(head + 4, kind + len, 4);
    put_int(head + 8, lsn, 8);
    unsigned long crc = crc32_z(0, (unsigned char *)head + 4, SEGMENT_RECORD_BYTES - 4 + kind);
    if (len) /* without bytes it would begin anew */
        crc = crc32_z(crc, (const unsigned char *)data, len);
    put_int(head, crc, 4);
    buf_add(out, head, SEGMENT_RECORD_BYTES + kind);
    buf_add(out, data, len);
}

void segment_add_record(struct buf *out, char type, lsn_t lsn, const char *data, size_t len)
{
    char head[SEGMENT_RECORD_BYTES];

    head[SEGMENT_RECORD_BYTES - 1] = type;
    add_record(out, head, 0, lsn, data, len);
}

void segment_add_message(struct buf *out, lsn_t lsn, char kind, const char *data, size_t len)
{
    char head[SEGMENT_RECORD_BYTES + 1];

    head[SEGMENT_RECORD_BYTES - 1] = SPOOL_MESSAGE;
    head[SEGMENT_RECORD_BYTES] = kind;
    add_record(out, head, 1, lsn, data, len);
}

void segment_add_header(struct buf *out, const struct segment_header *header, const char *identity)
{
    struct buf payload = BUF_INIT;

    buf_add(&payload, MAGIC, 8);
    buf_put_u32(&payload, VERSION);
    buf_put_u64(&payload, header->number);
    buf_put_u64(&payload, header->start_lsn);
    buf_put_u64(&payload, header->open_commit_lsn);
    buf_put_u64(&payload, header->changes);
    buf_put_u32(&payload, header->known);
    buf_put_u32(&payload, (uint32_t)strlen(identity));
    buf_addstr(&payload, identity);
    segment_add_record(out, SEGMENT_HEADER, header->start_lsn, payload.data, payload.len);
    buf_release(&payload);
}

static bool damaged(const struct segment_file *file, const char *why, struct err *err)
{
    err_set(err, ERR_PROTOCOL, "spool segment \"%s\" is damaged at byte %" PRIu64 ": %s", file->path,
            file->offset, why);
    segment_explain_loss(err);
    return false;
}

/* Reads ahead until `need` bytes are there, not beyond limit. */
static bool fill(struct segment_file *file, size_t need, uint64_t limit, struct err *err)
{
    if (file->in.len - file->at >= need)
        return true;
    buf_consume(&file->in, file->at);
    file->at = 0;
    if (need > limit - file->offset)
        return damaged(file, "a record goes beyond the end", err);
    while (file->in.len < need) {
        size_t want = need - file->in.len;
        uint64_t there = limit - file->offset - file->in.len;
        if (want < READ_BYTES)
            want = there < READ_BYTES ? (size_t)there : READ_BYTES;
        char *room = buf_room(&file->in, want + 1); /* one byte more for the reader's NUL */
        ssize_t got = pread(file->fd, room, want, (off_t)(file->offset + file->in.len));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            err_errno(err, "could not read \"%s\"", file->path);
            return false;
        }
        if (got == 0)
            return damaged(file, "it ends early", err);
        file->in.len += (size_t)got;
    }
    return true;
}

int segment_next(struct segment_file *file, uint64_t limit, struct spool_record *record,
                 struct err *err)
{
    if (file->borrowed)
        *file->borrowed = file->saved;
    file->borrowed = NULL;
    if (file->offset >= limit)
        return 0;
    if (!fill(file, SEGMENT_RECORD_BYTES, limit, err))
        return -1;
    size_t len = segment_int(file->in.data + file->at + 4, 4);
    if (!fill(file, SEGMENT_RECORD_BYTES + len, limit, err))
        return -1;
    char *start = file->in.data + file->at;
    size_t whole = SEGMENT_RECORD_BYTES + len;
    if (crc32_z(0, (unsigned char *)start + 4, whole - 4) != segment_int(start, 4)) {
        damaged(file, "its checksum is wrong", err);
        return -1;
    }
    *record = (struct spool_record){.type = (enum spool_type)start[16],
                                    .lsn = segment_int(start + 8, 8),
                                    .data = start + SEGMENT_RECORD_BYTES,
                                    .len = len};
    file->at += whole;
    file->offset += whole;
    file->borrowed = start + whole;
    file->saved = *file->borrowed;
    return 1;
}

bool segment_write_at(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t put = pwrite(fd, data, len, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put == 0)
            errno = EIO;
        if (put <= 0)
            return false;
        data += put;
        len -= (size_t)put;
        offset += (uint64_t)put;
    }
    return true;
}

static bool parse_header(struct segment_file *file, const struct spool_record *record,
                         uint64_t number, const char *identity, struct err *err)
{
    const char *at = record->data;

    if ((int)record->type != SEGMENT_HEADER || record->len < HEADER_FIXED ||
        memcmp(at, MAGIC, 8) != 0 || record->len - HEADER_FIXED != segment_int(at + 48, 4))
        return damaged(file, "it has no header", err);
    if (segment_int(at + 8, 4) != VERSION) {
        err_set(err, ERR_PREREQUISITE, "spool segment \"%s\" has format %u, this program knows %u",
                file->path, (unsigned)segment_int(at + 8, 4), VERSION);
        err_hint(err, "Finish this migration with the version of pgcutover that began it.");
        return false;
    }
    file->header = (struct segment_header){.number = segment_int(at + 12, 8),
                                           .start_lsn = segment_int(at + 20, 8),
                                           .open_commit_lsn = segment_int(at + 28, 8),
                                           .changes = segment_int(at + 36, 8),
                                           .known = (uint32_t)segment_int(at + 44, 4)};
    if (file->header.number != number)
        return damaged(file, "its header has another segment's number", err);
    const char *owner = at + HEADER_FIXED;
    size_t owner_len = record->len - HEADER_FIXED;
    if (identity && (strlen(identity) != owner_len || memcmp(identity, owner, owner_len) != 0)) {
        err_set(err, ERR_PREREQUISITE, "spool segment \"%s\" belongs to another migration",
                file->path);
        err_detail(err, "It was written for \"%.*s\", not for \"%s\".", (int)owner_len, owner,
                   identity);
        err_hint(err, "Give each migration a state directory of its own with --state-dir.");
        return false;
    }
    return true;
}

bool segment_open(struct segment_file *file, const char *dir, uint64_t number, const char *identity,
                  struct err *err)
{
    return segment_open_path(file, segment_path(dir, number), number, identity, err);
}

bool segment_open_path(struct segment_file *file, char *path, uint64_t number, const char *identity,
                       struct err *err)
{
    struct spool_record record;

    *file = (struct segment_file)SEGMENT_FILE_INIT;
    file->path = path;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        err_errno(err, "could not open spool segment \"%s\"", file->path);
        segment_close(file);
        return false;
    }
    int got = segment_next(file, segment_size(file), &record, err);
    if (got == 0)
        damaged(file, "it is empty", err);
    if (got <= 0 || !parse_header(file, &record, number, identity, err)) {
        segment_close(file);
        return false;
    }
    file->first = file->offset;
    /* What was read ahead may lie behind the last boundary, and be cut off and written anew: how far it is good
     * only the caller knows. */
    file->borrowed = NULL;
    file->at = 0;
    buf_clear(&file->in);
    return true;
}

void segment_close(struct segment_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    buf_release(&file->in);
    *file = (struct segment_file)SEGMENT_FILE_INIT;
}

uint64_t segment_size(const struct segment_file *file)
{
    struct stat st;

    return fstat(file->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

bool segment_serves(const struct segment_header *header, lsn_t from_lsn)
{
    /* A segment that begins inside a transaction serves those who leave that transaction out. */
    return header->start_lsn <= from_lsn && header->open_commit_lsn < from_lsn;
}

bool segment_is_change(char kind)
{
    return kind == 'I' || kind == 'U' || kind == 'D' || kind == 'T';
}

bool segment_peek(const char *data, size_t len, struct segment_peek *peek)
{
    *peek = (struct segment_peek){.kind = len ? data[0] : '\0'};
    switch (peek->kind) {
    case 'B':
        if (len < 21)
            return false;
        peek->commit_lsn = segment_int(data + 1, 8);
        peek->commit_us = (int64_t)(segment_int(data + 9, 8) + (uint64_t)PG_EPOCH_US);
        return true;
    case 'C':
        if (len < 26)
            return false;
        peek->commit_lsn = segment_int(data + 2, 8);
        peek->end_lsn = segment_int(data + 10, 8);
        peek->commit_us = (int64_t)(segment_int(data + 18, 8) + (uint64_t)PG_EPOCH_US);
        return true;
    case 'S':
        if (len < 6)
            return false;
        peek->xid = (uint32_t)segment_int(data + 1, 4);
        peek->first = data[5] != 0;
        return true;
    case 'c':
        if (len < 30)
            return false;
        peek->xid = (uint32_t)segment_int(data + 1, 4);
        peek->commit_lsn = segment_int(data + 6, 8);
        peek->end_lsn = segment_int(data + 14, 8);
        peek->commit_us = (int64_t)(segment_int(data + 22, 8) + (uint64_t)PG_EPOCH_US);
        return true;
    case 'A':
        if (len < 9)
            return false;
        peek->xid = (uint32_t)segment_int(data + 1, 4);
        peek->subxid = (uint32_t)segment_int(data + 5, 4);
        return true;
    case 'R':
    case 'Y':
        if (len < 5)
            return false;
        peek->oid = (uint32_t)segment_int(data + 1, 4);
        return true;
    case 'M':
        if (len < 10)
            return false;
        peek->outside = (data[1] & 1) == 0;
        peek->commit_lsn = segment_int(data + 2, 8);
        return true;
    default:
        return len > 0;
    }
}
