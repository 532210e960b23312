/* libFuzzer: any bytes as a journal. Where it opens, a line is added, and a second look at the file finds
 * what the first one knew, and that line: nothing that was made on a server is forgotten. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/journal.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_left(const struct journal *journal)
{
    size_t left = 0;

    for (size_t i = 0; i < journal->made_count; i++)
        left += !journal->made[i].gone;
    return left;
}

static void add_and_look_again(struct journal *journal, const char *path)
{
    struct made slot = {.db = 0, .side = (char *)"source", .kind = (char *)"slot", .name = (char *)"s"};
    struct journal again;
    int seq = 0;
    int twice = 0;

    if (!journal_made(journal, &slot, &seq, NULL) || !journal_made(journal, &slot, &twice, NULL) ||
        seq != twice || !journal_has(journal, 0, "slot"))
        abort();
    if (!journal_read(&again, path, NULL) || again.made_count != journal->made_count ||
        count_left(&again) != count_left(journal) || !journal_has(&again, 0, "slot") ||
        (journal_state(&again, 0) != NULL) != (journal_state(journal, 0) != NULL))
        abort();
    journal_close(&again);
    if (!journal_gone(journal, seq, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal journal;
    struct err err = ERR_INIT;
    char *path = scratch_file("journal.jsonl", data, size);

    if (journal_open(&journal, path, &err)) {
        add_and_look_again(&journal, path);
        journal_close(&journal);
    } else if (err.code == ERR_NONE || !err.message) {
        abort();
    }
    err_clear(&err);
    free(path);
    return 0;
}
