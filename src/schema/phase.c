#include "schema/phase.h"

#include <string.h>

struct rule {
    const char *type;   /* pg_dump's word */
    const char *flags;  /* any of these states, NULL: whatever it is */
    bool only_post;     /* only in the post-data section */
    enum schema_phase phase;
};

/* First match wins. Privileges come when everything stands, as in pg_restore's own order: a REVOKE from
 * an owner must not get in the way of load, indexes and foreign keys. Row security and policies would
 * filter what is written for a role that is not exempt. */
static const struct rule rules[] = {
    {"ACL", NULL, false, PHASE_POST},
    {"DEFAULT ACL", NULL, false, PHASE_POST},
    {"EVENT TRIGGER", NULL, false, PHASE_HELD},
    {"ROW SECURITY", NULL, false, PHASE_HELD},
    {"POLICY", NULL, false, PHASE_HELD},
    {"TRIGGER", "AR", false, PHASE_HELD},
    {"RULE", "AR", false, PHASE_HELD},
    {"COMMENT", NULL, false, PHASE_PRE}, /* raised to the phase of what it is about */
    {"SECURITY LABEL", NULL, false, PHASE_PRE},
    {"INDEX", NULL, true, PHASE_INDEX},
    {"INDEX ATTACH", NULL, true, PHASE_INDEX},
    {"CONSTRAINT", NULL, true, PHASE_INDEX},
    {"CHECK CONSTRAINT", NULL, true, PHASE_INDEX},
    {"STATISTICS", NULL, true, PHASE_INDEX},
    {"FK CONSTRAINT", NULL, true, PHASE_FOREIGN_KEY},
};

const char *schema_phase_name(enum schema_phase phase)
{
    static const char *const names[] = {"pre", "index", "foreign-key", "post", "held", "held-key"};

    return names[phase];
}

enum schema_phase schema_phase_of(const char *type, bool post, char flag)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strcmp(rules[i].type, type) == 0 && (post || !rules[i].only_post) &&
            (!rules[i].flags || (flag && strchr(rules[i].flags, flag))))
            return rules[i].phase;
    return post ? PHASE_POST : PHASE_PRE;
}

bool schema_type_follows(const char *type)
{
    return strcmp(type, "COMMENT") == 0 || strcmp(type, "SECURITY LABEL") == 0;
}
