/* When a backlog is fetched in pieces, and how large they are. */
#include "unit.h"

#include "cdc/catchup.h"

#define MB (UINT64_C(1) << 20)

static lsn_t end_of(lsn_t restart, lsn_t from, lsn_t wal, bool allowed)
{
    struct catchup_place place = {from, restart, wal, 0, allowed};

    return catchup_piece_end(&place, from, 64 * MB, 32 * MB);
}

static void test_choice(void)
{
    CHECK_INT(end_of(100 * MB, 100 * MB, 163 * MB, true), LSN_INVALID);
    CHECK_INT(end_of(100 * MB, 100 * MB, 164 * MB, true), 132 * MB);
    CHECK_INT(end_of(100 * MB, 100 * MB, 900 * MB, false), LSN_INVALID);
    CHECK_INT(end_of(100 * MB, 100 * MB, 90 * MB, true), LSN_INVALID);
}

/* As much as is decoded again, up to a bound: so a whole backlog is decoded about twice. */
static void test_size(void)
{
    CHECK_INT(end_of(100 * MB, 110 * MB, 900 * MB, true), 142 * MB);
    CHECK_INT(end_of(100 * MB, 200 * MB, 900 * MB, true), 300 * MB);
    CHECK_INT(end_of(100 * MB, 200 * MB, 280 * MB, true), 280 * MB);
    CHECK_INT(end_of(100 * MB, 900 * MB, 9000 * MB, true), (900 + 512) * MB);
    CHECK_INT(end_of(100 * MB, 1700 * MB, 9000 * MB, true), LSN_INVALID); /* an old transaction */
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"when pieces are fetched", test_choice}, {"their size", test_size}, {NULL, NULL}};

    return unit_main("catchup", tests);
}
