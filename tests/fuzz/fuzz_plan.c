/* libFuzzer: any text as a plan. What is accepted is written, read again, and must be the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const struct plan *plan)
{
    struct plan again;
    struct conninfo info = CONNINFO_INIT;
    char *text = plan_text(plan);

    if (!plan_parse(&again, text, "written", NULL))
        abort();
    char *second = plan_text(&again);
    if (strcmp(text, second) != 0)
        abort();
    if (plan_conninfo(&plan->target, "other", &info, NULL) && conninfo_get(&info, "password"))
        abort();
    for (size_t i = 0; i < plan->database_count; i++) {
        plan_selects(&plan->databases[i], "public", "a.b\"c", NULL);
        plan_mapping_for(&plan->databases[i], "public", "t");
    }
    conninfo_release(&info);
    free(second);
    free(text);
    plan_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan plan;
    struct err err = ERR_INIT;
    char *text = xmalloc(size + 1);

    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (plan_parse(&plan, text, "fuzz.json", &err)) {
        check_written(&plan);
        plan_release(&plan);
    } else if (err.code == ERR_NONE || !err.message) {
        abort();
    }
    err_clear(&err);
    free(text);
    return 0;
}
