#include "unit.h"

#include "cutover/bouncer.h"

static char *edit(const char *text, const char *database, char **before)
{
    struct err err = ERR_INIT;
    char *out = bouncer_edit(text, database, "db2.example", "5433", "shop new", before, &err);

    CHECK_STR(err.message, NULL);
    return out;
}

static void check_edit(const char *text, const char *database, const char *want, const char *want_before)
{
    char *before = NULL;
    char *got = edit(text, database, &before);

    CHECK_STR(got, want);
    CHECK_STR(before ? before : "(none)", want_before ? want_before : "(none)");
    free(got);
    free(before);
}

#define NEW "host='db2.example' port=5433 dbname='shop new'"

static void entries_are_led_elsewhere(void)
{
    check_edit("[databases]\nshop = host=db1 port=5432 dbname=shop\n[pgbouncer]\nlisten_port = 6432\n", "shop",
               "[databases]\nshop = " NEW "\n[pgbouncer]\nlisten_port = 6432\n", "shop = host=db1 port=5432 dbname=shop");
    /* Everything else of the entry stays, and so does every other line. */
    check_edit("; all\n[databases]\n; shop = host=old\nshopping = host=db1\n shop= dbname = 'it''s' pool_size=20 HOST = 'a b' "
               "user=me\nother = host=db1\n", "shop",
               "; all\n[databases]\n; shop = host=old\nshopping = host=db1\n shop= " NEW " pool_size=20 user=me\n"
               "other = host=db1\n", " shop= dbname = 'it''s' pool_size=20 HOST = 'a b' user=me");
    check_edit("[databases]\n\"a \"\"b\" = port=1\n", "a \"b", "[databases]\n\"a \"\"b\" = " NEW "\n", "\"a \"\"b\" = port=1");
    /* No end of line at the end; nothing in the entry. */
    check_edit("[DATABASES]\nshop =", "shop", "[DATABASES]\nshop =" NEW "\n", "shop =");
}

static void an_entry_is_made_where_there_is_none(void)
{
    check_edit("[databases]\n* = host=db1\n[users]\nshop = pool_mode=session\n", "shop",
               "[databases]\n\"shop\" = " NEW "\n* = host=db1\n[users]\nshop = pool_mode=session\n", NULL);
}

static void what_is_no_configuration_is_refused(void)
{
    struct err err = ERR_INIT;
    char *before = NULL;

    CHECK_TRUE(!bouncer_edit("[pgbouncer]\nlisten_port = 6432\n", "shop", "h", "1", "d", &before, &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_STR(err.message, "the configuration has no section [databases]");
    err_clear(&err);
}

static void it_is_the_same_when_it_is_done_again(void)
{
    char *before = NULL;
    char *once = edit("[databases]\nshop = host=db1 pool_size=3\n", "shop", &before);

    free(before);
    before = NULL;
    char *twice = edit(once, "shop", &before);
    CHECK_STR(twice, once);
    free(before);
    free(once);
    free(twice);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"entries of PgBouncer are led elsewhere", entries_are_led_elsewhere},
        {"an entry is made where there is none", an_entry_is_made_where_there_is_none},
        {"what is no configuration is refused", what_is_no_configuration_is_refused},
        {"done again it is the same", it_is_the_same_when_it_is_done_again},
        {NULL, NULL},
    };

    return unit_main("cutover", tests);
}
