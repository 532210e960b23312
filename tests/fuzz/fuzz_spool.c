/* libFuzzer: any bytes as the first segment of a spool, read and then opened for writing. Checksums
 * are put right first where there is a record to see, else nothing would get past them. The same bytes are the
 * file of every transaction for which a record stands. */
#include <inttypes.h>
#include <zlib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/segment.h"
#include "cdc/spool.h"
#include "cdc/streamed.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *dir;

static void mend_checksums(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; size - at >= SEGMENT_RECORD_BYTES;) {
        uint8_t *head = bytes + at;
        uint32_t len = (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 |
                       head[7];
        if (len > size - at - SEGMENT_RECORD_BYTES)
            return;
        uint32_t crc = (uint32_t)crc32_z(0, head + 4, SEGMENT_RECORD_BYTES - 4 + len);
        for (int i = 0; i < 4; i++)
            head[i] = (uint8_t)(crc >> (24 - 8 * i));
        at += SEGMENT_RECORD_BYTES + len;
    }
}

static void store(char *path, const uint8_t *bytes, size_t size)
{
    if (!file_replace(path, bytes, size, NULL))
        abort();
    free(path);
}

static void store_streamed(const uint8_t *bytes, size_t size)
{
    size_t len;

    for (size_t at = 0; size - at >= SEGMENT_RECORD_BYTES; at += SEGMENT_RECORD_BYTES + len) {
        len = segment_int((const char *)bytes + at + 4, 4);
        if (len > size - at - SEGMENT_RECORD_BYTES)
            return;
        if (bytes[at + SEGMENT_RECORD_BYTES - 1] == SEGMENT_STREAMED)
            store(xasprintf("%s/%016x-%016zx.txn", dir, 1, at), bytes, size);
    }
}

static void read_all(const struct spool_position *limit)
{
    struct spool_reader *reader;
    struct spool_record record;

    if (!spool_reader_open(dir, "fuzz", 1, &reader, NULL))
        return;
    while (spool_reader_next(reader, limit, &record, NULL) > 0)
        memset(record.data, 0xff, record.len + 1);
    spool_reader_close(reader);
}

static void write_some(void)
{
    struct spool_options options = {.start_lsn = 1};
    struct spool_writer *writer;

    if (!spool_writer_open(dir, "fuzz", &options, &writer, NULL))
        return;
    spool_mark(writer, spool_end(writer).lsn + 1, NULL);
    spool_sync(writer, NULL);
    struct spool_position limit = spool_synced(writer);
    spool_writer_close(writer);
    read_all(&limit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dir = scratch();
    uint8_t *copy = malloc(size + 1);
    if (size)
        memcpy(copy, data, size);
    mend_checksums(copy, size);
    store(segment_path(dir, 1), copy, size);
    store_streamed(copy, size);
    free(copy);
    read_all(&(struct spool_position){.segment = 1, .offset = size});
    write_some();
    return 0;
}
