/* How fast a backlog comes into the spool: bench_receive SLOT START END DIR receives from $PGC_TEST_SOURCE until everything
 * before END is durable in the spool DIR, which begins at START, the slot's position; with $READ_BACK it is
 * read again. Called by bench_receive.sh. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "cdc/decode.h"
#include "cdc/receive.h"

static struct err err;

static void give_up(void)
{
    char *text = err_text(&err);

    fprintf(stderr, "%s\n", text);
    exit(1);
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
           (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

static void read_back(const char *dir, lsn_t from, const struct spool_position *limit)
{
    struct spool_reader *reader;
    struct spool_record record;
    struct change change = CHANGE_INIT;
    int64_t messages = 0, begun = clock_mono_ms();
    double cpu = cpu_seconds();
    int got = -1;

    if (!spool_reader_open(dir, "bench", from, &reader, &err))
        give_up();
    while ((got = spool_reader_next(reader, limit, &record, &err)) > 0) {
        if (record.type == SPOOL_MESSAGE && !decode_message(record.data, record.len, &change, &err))
            give_up();
        messages++;
    }
    if (got < 0)
        give_up();
    double seconds = (double)(clock_mono_ms() - begun) / 1e3;
    cpu = cpu_seconds() - cpu;
    printf("%" PRId64 " messages read and decoded in %.2f s, CPU %.2f s: %.0f k a second of CPU\n", messages, seconds,
           cpu, (double)messages / cpu / 1e3);
    change_release(&change);
    spool_reader_close(reader);
}

int main(int argc, char **argv)
{
    struct conninfo source = CONNINFO_INIT;
    struct receiver r;
    lsn_t start, end;

    if (argc != 5 || !lsn_parse(argv[2], &start) || !lsn_parse(argv[3], &end)) {
        fprintf(stderr, "usage: bench_receive SLOT START END DIR\n");
        return 2;
    }
    if (!conninfo_parse(&source, getenv("PGC_TEST_SOURCE"), &err))
        give_up();
    struct receiver_options options = {.source = &source, .slot = argv[1], .publications = "\"p\"",
                                       .dir = argv[4], .identity = "bench", .start_lsn = start};
    int64_t begun = clock_mono_ms();
    if (!receiver_open(&r, &options, &err))
        give_up();
    lsn_t from = r.boundary.lsn;
    receiver_want(&r, end);
    while (r.boundary.lsn < end)
        if (!receiver_step(&r, 1000, -1, &err))
            give_up();
    double seconds = (double)(clock_mono_ms() - begun) / 1e3;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%" PRId64 " changes, %" PRId64 " bytes in %.2f s, %.0f k a second, own CPU %.2f s, %ld kB\n", r.changes,
           r.bytes, seconds, (double)r.changes / seconds / 1e3, cpu_seconds(), usage.ru_maxrss);
    struct spool_position limit = r.boundary;
    receiver_close(&r);
    if (getenv("READ_BACK"))
        read_back(argv[4], from, &limit);
    conninfo_release(&source);
    return 0;
}
