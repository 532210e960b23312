/* The spool's readers, and what is done to whole directories. How it works:
 *
 * A reader walks the segments in order, up to the limit that it is given. Where one begins inside a
 * transaction, that transaction is one to be left out (segment_serves()), so the reader begins with
 * leaving out. For the record of a transaction that came before its commit the reader goes through that one's
 * file, and makes BEGIN and COMMIT messages around it. When it comes to the next segment, it skips that one's 'd' records: it has seen the
 * messages themselves. */
#include "cdc/spool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/xalloc.h"
#include "cdc/segment.h"
#include "cdc/streamed.h"

struct spool_reader {
    char *dir;
    char *identity;
    lsn_t from_lsn;
    uint64_t changes; /* row changes before the next record, since the spool began */
    struct segment_file file;
    uint64_t size; /* of its file, 0: not looked at since there is a next segment */
    uint32_t known_left; /* 'd' records of this segment still to come */
    bool skip_known;
    bool skipping; /* inside a transaction that is left out */

    struct streamed_ref ref;     /* of the transaction being read from its own file */
    struct segment_file streamed; /* open inside of one */
    uint64_t changes_behind;     /* `changes` at its end */
    char made[32];               /* a message that was made here */
};

static bool enter(struct spool_reader *reader, uint64_t number, struct err *err)
{
    segment_close(&reader->file);
    if (!segment_open(&reader->file, reader->dir, number, reader->identity, err))
        return false;
    reader->size = 0;
    reader->known_left = reader->file.header.known;
    reader->changes = reader->file.header.changes;
    return true;
}

/* The index of the last segment that serves from_lsn; list->count when none does. -1 on error. */
static ssize_t find_start(const struct segment_list *list, const char *dir, const char *identity,
                          lsn_t from_lsn, lsn_t *first_lsn, struct err *err)
{
    size_t best = list->count;

    for (size_t i = 0; i < list->count; i++) {
        struct segment_file file;
        if (!segment_open(&file, dir, list->numbers[i], identity, err))
            return -1;
        struct segment_header header = file.header;
        segment_close(&file);
        if (i == 0)
            *first_lsn = header.start_lsn;
        if (header.start_lsn > from_lsn)
            break;
        if (segment_serves(&header, from_lsn))
            best = i;
    }
    return (ssize_t)best;
}

static bool refuse_start(const char *dir, lsn_t from_lsn, lsn_t first_lsn, size_t count,
                         struct err *err)
{
    char from[LSN_TEXT_SIZE], first[LSN_TEXT_SIZE];

    if (count == 0)
        err_set(err, ERR_PREREQUISITE, "spool \"%s\" is lost: it has no segments", dir);
    else
        err_set(err, ERR_PREREQUISITE, "spool \"%s\" begins at %s, but changes from %s on are needed",
                dir, lsn_format(first_lsn, first), lsn_format(from_lsn, from));
    segment_explain_loss(err);
    return false;
}

static bool start_in(struct spool_reader *reader, const struct segment_list *list, struct err *err)
{
    lsn_t first_lsn = LSN_INVALID;

    if (!segment_list_check(list, reader->dir, err))
        return false;
    ssize_t at = find_start(list, reader->dir, reader->identity, reader->from_lsn, &first_lsn, err);
    if (at == (ssize_t)list->count)
        return refuse_start(reader->dir, reader->from_lsn, first_lsn, list->count, err);
    return at >= 0 && enter(reader, list->numbers[at], err);
}

/* Was the first segment dropped since it was listed? */
static bool has_moved_on(const char *dir, const struct segment_list *list)
{
    char *path = list->count ? segment_path(dir, list->numbers[0]) : NULL;
    bool gone = path && !file_exists(path);

    free(path);
    return gone;
}

/* The receiver may be dropping segments meanwhile, first ones first: then the list is out of date, and
 * what it shows (a segment missing, one that cannot be opened) means nothing. */
static bool start(struct spool_reader *reader, struct err *err)
{
    struct segment_list list = {0};
    bool ok, again;

    do {
        err_clear(err);
        ok = segment_list_load(&list, reader->dir, err);
        again = ok && !(ok = start_in(reader, &list, err)) && has_moved_on(reader->dir, &list);
    } while (again);
    segment_list_release(&list);
    return ok;
}

bool spool_reader_open(const char *dir, const char *identity, lsn_t from_lsn,
                       struct spool_reader **out, struct err *err)
{
    struct spool_reader *reader = xcalloc(1, sizeof *reader);

    *out = NULL;
    reader->dir = xstrdup(dir);
    reader->identity = xstrdup(identity);
    reader->from_lsn = from_lsn;
    reader->file = reader->streamed = (struct segment_file)SEGMENT_FILE_INIT;
    if (!start(reader, err)) {
        spool_reader_close(reader);
        return false;
    }
    reader->skipping = reader->file.header.open_commit_lsn != 0;
    *out = reader;
    return true;
}

void spool_reader_close(struct spool_reader *reader)
{
    if (!reader)
        return;
    segment_close(&reader->file);
    segment_close(&reader->streamed);
    streamed_ref_release(&reader->ref);
    free(reader->dir);
    free(reader->identity);
    free(reader);
}

/* Is the record to be given out? */
static bool is_wanted(struct spool_reader *reader, const struct spool_record *record,
                      const struct segment_peek *peek)
{
    if (record->type == SPOOL_MARK)
        return record->lsn > reader->from_lsn;
    if (peek->kind == 'R' || peek->kind == 'Y')
        return true;
    if (peek->kind == 'B')
        reader->skipping = peek->commit_lsn < reader->from_lsn;
    if (peek->kind == 'M' && peek->outside)
        return peek->commit_lsn >= reader->from_lsn;
    bool wanted = !reader->skipping;
    if (peek->kind == 'C')
        reader->skipping = false;
    return wanted;
}

static int bad_record(const struct spool_reader *reader, struct err *err)
{
    err_set(err, ERR_PROTOCOL, "spool segment \"%s\" holds an unknown record before byte %" PRIu64,
            reader->file.path, reader->file.offset);
    segment_explain_loss(err);
    return -1;
}

static char *put_int(char *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (char)(value >> (8 * (size - 1 - i)));
    return at + size;
}

/* BEGIN or COMMIT of a transaction with a file of its own. */
static int make_border(struct spool_reader *reader, char kind, struct spool_record *record)
{
    const struct streamed_ref *ref = &reader->ref;
    char *at = reader->made;

    *at++ = kind;
    if (kind == 'C')
        *at++ = 0;
    at = put_int(at, ref->commit_lsn, 8);
    if (kind == 'C')
        at = put_int(at, ref->end_lsn, 8);
    at = put_int(at, (uint64_t)ref->commit_us - (uint64_t)PG_EPOCH_US, 8);
    if (kind == 'B')
        at = put_int(at, ref->xid, 4);
    *record = (struct spool_record){.type = SPOOL_MESSAGE, .data = reader->made,
                                    .len = (size_t)(at - reader->made)};
    return 1;
}

static int begin_streamed(struct spool_reader *reader, struct spool_record *record, struct err *err)
{
    uint64_t offset = reader->file.offset - SEGMENT_RECORD_BYTES - record->len;
    struct streamed_ref *ref = &reader->ref;

    streamed_ref_release(ref);
    if (!streamed_ref_parse(record->data, record->len, ref))
        return bad_record(reader, err);
    if (!streamed_open(&reader->streamed, reader->dir, reader->file.header.number, offset,
                       reader->identity, ref, err))
        return -1;
    reader->changes_behind = reader->changes + ref->changes;
    reader->skipping = ref->commit_lsn < reader->from_lsn;
    return reader->skipping ? 2 : make_border(reader, 'B', record);
}

static int end_streamed(struct spool_reader *reader, struct spool_record *record)
{
    segment_close(&reader->streamed);
    reader->changes = reader->changes_behind;
    if (!reader->skipping)
        return make_border(reader, 'C', record);
    reader->skipping = false;
    return 2;
}

/* One record of the file of such a transaction; of one that is left out only what Relation and Type
 * messages it may have. */
static int read_streamed(struct spool_reader *reader, struct spool_record *record, struct err *err)
{
    const struct streamed_ref *ref = &reader->ref;
    uint64_t limit = reader->skipping ? ref->known_end : ref->size;
    int got = segment_next(&reader->streamed, limit, record, err);

    if (got < 0)
        return got;
    if (got == 0)
        return end_streamed(reader, record);
    if (streamed_is_aborted(ref, record->lsn))
        return 2;
    if (record->type != SPOOL_MESSAGE || !record->len)
        return bad_record(reader, err);
    record->lsn = LSN_INVALID;
    char kind = record->data[0];
    reader->changes += segment_is_change(kind) && !reader->skipping;
    return !reader->skipping || kind == 'R' || kind == 'Y' ? 1 : 2;
}

/* One record of the current segment: 1 wanted, 2 not wanted, 0 at the limit, -1 error. */
static int read_one(struct spool_reader *reader, uint64_t limit, struct spool_record *record,
                    struct err *err)
{
    struct segment_peek peek = {0};

    if (reader->streamed.fd >= 0)
        return read_streamed(reader, record, err);
    int got = segment_next(&reader->file, limit, record, err);
    if (got <= 0)
        return got;
    if (reader->known_left) {
        if ((int)record->type != SEGMENT_KNOWN)
            return bad_record(reader, err);
        reader->known_left--;
        record->type = SPOOL_MESSAGE;
        return reader->skip_known ? 2 : 1;
    }
    if ((int)record->type == SEGMENT_STREAMED)
        return begin_streamed(reader, record, err);
    if (record->type != SPOOL_MARK && (record->type != SPOOL_MESSAGE ||
                                       !segment_peek(record->data, record->len, &peek)))
        return bad_record(reader, err);
    reader->changes += segment_is_change(peek.kind);
    return is_wanted(reader, record, &peek) ? 1 : 2;
}

int spool_reader_next(struct spool_reader *reader, const struct spool_position *limit,
                      struct spool_record *record, struct err *err)
{
    for (;;) {
        uint64_t number = reader->file.header.number;
        if (number > limit->segment)
            return 0;
        if (number < limit->segment && !reader->size)
            reader->size = segment_size(&reader->file);
        uint64_t end = number == limit->segment ? limit->offset : reader->size;
        int got = read_one(reader, end, record, err);
        if (got == 1 || got < 0)
            return got;
        if (got == 2)
            continue;
        if (number == limit->segment)
            return 0;
        reader->skip_known = true;
        if (!enter(reader, number + 1, err))
            return -1;
    }
}

/* The row changes before limit since the spool began: its segment's header knows those before it. */
static bool changes_before(const char *dir, const char *identity, const struct spool_position *limit,
                           uint64_t *changes, struct err *err)
{
    struct segment_file file;
    struct spool_record record;
    int got;

    if (!segment_open(&file, dir, limit->segment, identity, err))
        return false;
    *changes = file.header.changes;
    while ((got = segment_next(&file, limit->offset, &record, err)) > 0) {
        struct streamed_ref ref = {0};
        if ((int)record.type == SEGMENT_STREAMED)
            streamed_ref_parse(record.data, record.len, &ref);
        *changes += ref.changes + (record.type == SPOOL_MESSAGE && record.len &&
                                   segment_is_change(record.data[0]));
        streamed_ref_release(&ref);
    }
    segment_close(&file);
    return got == 0;
}

bool spool_count(const char *dir, const char *identity, lsn_t from_lsn,
                 const struct spool_position *limit, int64_t *count, struct err *err)
{
    struct spool_reader *reader = NULL;
    struct spool_record record;
    uint64_t all = 0;
    int got;

    *count = 0;
    if (!spool_reader_open(dir, identity, from_lsn, &reader, err))
        return false;
    /* Relation and Type messages come also where nothing is wanted yet; a transaction begins with BEGIN. */
    do
        got = spool_reader_next(reader, limit, &record, err);
    while (got > 0 && record.type == SPOOL_MESSAGE && (record.data[0] == 'R' || record.data[0] == 'Y'));
    bool ok = got == 0 || (got > 0 && changes_before(dir, identity, limit, &all, err));
    if (ok && got > 0)
        *count = (int64_t)(all - reader->changes);
    spool_reader_close(reader);
    return ok;
}

bool spool_drop_before(const char *dir, lsn_t lsn, struct err *err)
{
    struct segment_list list = {0};
    lsn_t first_lsn;
    bool ok = segment_list_load(&list, dir, err);
    ssize_t keep = ok ? find_start(&list, dir, NULL, lsn, &first_lsn, err) : -1;

    ok = ok && keep >= 0;
    if (keep == (ssize_t)list.count)
        keep = 0;
    for (ssize_t i = 0; ok && i < keep; i++) {
        char *path = segment_path(dir, list.numbers[i]);
        ok = unlink(path) == 0;
        if (!ok)
            err_errno(err, "could not remove spool segment \"%s\"", path);
        free(path);
    }
    ok = ok && (keep == 0 || streamed_drop_before(dir, list.numbers[keep], err));
    segment_list_release(&list);
    return ok;
}

int64_t spool_bytes(const char *dir)
{
    struct segment_list list = {0};
    int64_t bytes = 0;

    if (segment_list_load(&list, dir, NULL))
        for (size_t i = 0; i < list.count; i++) {
            struct stat st;
            char *path = segment_path(dir, list.numbers[i]);
            if (stat(path, &st) == 0)
                bytes += st.st_size;
            free(path);
        }
    segment_list_release(&list);
    bytes += streamed_bytes(dir);
    return bytes;
}
