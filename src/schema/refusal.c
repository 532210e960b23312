#include "schema/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define TRIES 20

void refusal_release(struct refusal *refusal)
{
    free(refusal->message);
    free(refusal->detail);
    *refusal = (struct refusal){0};
}

void refusal_take(struct refusal *refusal, const PGresult *res)
{
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *position = PQresultErrorField(res, PG_DIAG_STATEMENT_POSITION);

    refusal_release(refusal);
    snprintf(refusal->sqlstate, sizeof refusal->sqlstate, "%s", sqlstate ? sqlstate : "");
    str_replace(&refusal->message, PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY));
    str_replace(&refusal->detail, PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL));
    refusal->position = position ? atol(position) : 0;
}

bool refusal_may_pass(const struct refusal *refusal)
{
    static const char *const states[] = {"40P01", "55P03", "40001"};

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(refusal->sqlstate, states[i]) == 0)
            return true;
    return false;
}

bool refusal_ends_session(const struct refusal *refusal)
{
    return strncmp(refusal->sqlstate, "57P0", 4) == 0;
}

int refusal_pause_ms(int tries)
{
    if (tries >= TRIES)
        return -1;
    return tries < 10 ? tries * 200 : 2000;
}
