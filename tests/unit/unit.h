/* What every unit test program shares: assertions that print both values, and the closing. */
#ifndef PGC_TESTS_UNIT_H
#define PGC_TESTS_UNIT_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#define CHECK_STR(got, want)                                                                      \
    do {                                                                                          \
        const char *got_ = (got);                                                                 \
        const char *want_ = (want);                                                               \
        int same_ = got_ && want_ ? strcmp(got_, want_) == 0 : got_ == want_;                     \
        if (!same_)                                                                               \
            fprintf(stderr, "\n%s:%d: %s\n  got:  %s\n  want: %s\n", __FILE__, __LINE__, #got,    \
                    got_ ? got_ : "(null)", want_ ? want_ : "(null)");                            \
        CU_ASSERT_TRUE(same_);                                                                    \
    } while (0)

#define CHECK_INT(got, want)                                                                      \
    do {                                                                                          \
        int64_t got_ = (int64_t)(got);                                                            \
        int64_t want_ = (int64_t)(want);                                                          \
        if (got_ != want_)                                                                        \
            fprintf(stderr, "\n%s:%d: %s\n  got:  %" PRId64 "\n  want: %" PRId64 "\n", __FILE__,  \
                    __LINE__, #got, got_, want_);                                                 \
        CU_ASSERT_TRUE(got_ == want_);                                                            \
    } while (0)

#define CHECK_TRUE(what)                                                                          \
    do {                                                                                          \
        int true_ = !!(what);                                                                     \
        if (!true_)                                                                               \
            fprintf(stderr, "\n%s:%d: not true: %s\n", __FILE__, __LINE__, #what);                \
        CU_ASSERT_TRUE(true_);                                                                    \
    } while (0)

/* What got contains part. */
#define CHECK_CONTAINS(got, part)                                                                 \
    do {                                                                                          \
        const char *got_ = (got);                                                                 \
        const char *part_ = (part);                                                               \
        int holds_ = got_ && strstr(got_, part_);                                                 \
        if (!holds_)                                                                              \
            fprintf(stderr, "\n%s:%d: %s\n  got:     %s\n  without: %s\n", __FILE__, __LINE__,    \
                    #got, got_ ? got_ : "(null)", part_);                                         \
        CU_ASSERT_TRUE(holds_);                                                                   \
    } while (0)

struct unit_test {
    const char *name;
    void (*run)(void);
};

/* Runs the tests (ended by a NULL name) and gives the exit status: CUnit's own does not tell. */
static inline int unit_main(const char *suite, const struct unit_test *tests)
{
    CU_initialize_registry();
    CU_pSuite handle = CU_add_suite(suite, NULL, NULL);
    for (; tests->name; tests++)
        CU_add_test(handle, tests->name, tests->run);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
    unsigned run = CU_get_number_of_tests_run();
    CU_cleanup_registry();
    return failures || !run ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
