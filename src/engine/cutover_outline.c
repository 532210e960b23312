/* What the cutover of a plan will do, step by step, and how each step would be undone: told before it begins. */
#include "engine/cutover.h"

#include <string.h>

#include "base/json.h"

struct outline {
    const char *name;
    const char *does;
    const char *undo; /* NULL: there is nothing to undo */
    bool (*is_wanted)(const struct plan *plan); /* of those that come after the point of no return; NULL: always */
};

#define BRINGS "The next cutover brings it over again; until then the target is not open."

static const struct outline before[] = {
    {"list writers", "Lists the sessions of the source that have written in a transaction that is still open. Nothing is changed.", NULL, NULL},
    {"checks", "Makes the checks again that may have come to fail since the beginning. Nothing is changed.", NULL, NULL},
    {"types of columns", "Adds labels that the target's enums lack, and gives columns that were text their types back: those tables are written anew on the "
                         "target. Writes go on.", "It stays so: the columns have their types from here on.", NULL},
    {"all tables", "Looks whether every table that the plan picks is moved, with the stream applied up to now. Nothing is changed.", NULL, NULL},
    {"rows of foreign keys", "Looks on the target for rows that have no partner in a foreign key. Nothing is changed.", NULL, NULL},
    {"check the way back", "Looks whether the target can stream to the source after the cutover. Nothing is changed.", NULL, NULL},
    {"rehearse", "Does all that can be done while writes go on, and measures it: where it takes longer than cutover.maxDowntime, it ends here.", BRINGS,
     NULL},
    {"hook before", "Runs cutover.hooks.before, a command of yours on this host.", "This is for you: the program does not know what the hook did.", NULL},
    {"pause PgBouncer", "Pauses PgBouncer's database: clients wait from here on, and lose nothing.", "RESUME of the same database: its clients go on on the source.",
     NULL},
    {"stop writes", "Makes the source's database read-only and ends its other sessions. Unavailability begins.",
     "The database's default_transaction_read_only becomes what it was before, and sessions may write again.", NULL},
    {"last change applied", "Takes the source's position behind the last write, and waits until all before it is applied.", NULL, NULL},
    {"tables outside of the stream", "Brings tables over that no stream carries (unlogged, without a key): by comparing both sides.", BRINGS, NULL},
    {"large objects", "Brings large objects over: those that are new, different or gone.", BRINGS, NULL},
    {"sequences", "Sets every sequence of the target to the source's value.", BRINGS, NULL},
    {"materialized views", "Refreshes materialized views on the target.", BRINGS, NULL},
    {"verify", "Compares both sides, table by table, as verify.when says. A difference ends the cutover.", NULL, NULL},
    {"nothing written since", "Proves that nothing was written to the source behind that position. It is the last step that can fail without a trace.", NULL,
     NULL},
    {"arm the way back", "Starts a migration that streams what is written on the target to the source.", "That migration is cancelled and forgotten.", NULL},
    {NULL, NULL, NULL, NULL},
};

/* --- behind the point of no return --- */

static bool has_hook_after(const struct plan *plan)
{
    return plan->hook_after != NULL;
}

static bool has_bouncer(const struct plan *plan)
{
    return plan->bouncer_uri != NULL;
}

static bool has_locks(const struct plan *plan)
{
    return plan->stop_writes == STOP_LOCK;
}

#define FORWARD "It is not undone: pgcutover resume goes on with it where it fails."
#define WAY_BACK "It is not undone; the way back, where it is armed, leads to the source without losing a row (pgcutover fallback)."

static const struct outline behind[] = {
    {"open the target", "Puts back what was held back: triggers, policies, identity, names, grants. Then the target takes writes.", WAY_BACK, NULL},
    {"foreign keys", "Adds the foreign keys that were away, and validates them.", FORWARD, cutover_wants_orphans},
    {"hook after", "Runs cutover.hooks.after, a command of yours on this host, that leads applications to the target.", FORWARD, has_hook_after},
    {"switch PgBouncer", "Leads PgBouncer's database to the target, and resumes it: its clients go on there.", FORWARD, has_bouncer},
    {"let the source go", "Ends the sessions that still wait to write on the source, and lets its tables go. Who comes later can write there.", FORWARD,
     has_locks},
    {"compare the schemas", "Compares the definitions of both sides, and tells what differs. It changes nothing, and nothing fails by it.", NULL, NULL},
    {"clean up", "Drops what the migration made on the source: slot, publication, triggers; and its state on the target.", FORWARD, NULL},
    {NULL, NULL, NULL, NULL},
};

static const struct outline *find(const struct outline *outlines, const char *name)
{
    for (; outlines->name; outlines++)
        if (strcmp(outlines->name, name) == 0)
            return outlines;
    return NULL;
}

/* The ways of cutover.stopWrites that are not the default. */
static const struct outline *stop_of(const struct plan *plan)
{
    static const struct outline by_operator = {
        "stop writes", "Writes have been stopped by you: it looks for transactions that write all the same, and ends there where it finds one.",
        "You let the application write to the source again.", NULL};
    static const struct outline by_locks = {
        "stop writes", "Locks every table that is moved: who wants to write waits, sessions stay. Unavailability begins.",
        "The locks are let go: who waits goes on as if nothing had been.", NULL};

    if (plan->stop_writes == STOP_READ_ONLY)
        return find(before, "stop writes");
    return plan->stop_writes == STOP_LOCK ? &by_locks : &by_operator;
}

static cJSON *add(cJSON *list, const char *name, const struct outline *outline, bool is_final)
{
    cJSON *item = cJSON_CreateObject();

    json_add_str(item, "name", name);
    json_add_str(item, "does", outline ? outline->does : NULL);
    json_add_str(item, "undo", outline ? outline->undo : NULL);
    json_add_bool(item, "final", is_final);
    cJSON_AddItemToArray(list, item);
    return item;
}

cJSON *cutover_outline(const struct plan *plan)
{
    bool streams = plan->sync_mode != SYNC_LOAD_ONLY;
    cJSON *list = cJSON_CreateArray();

    for (const struct cutover_step *step = streams ? cutover_steps : cutover_copy_steps; step->name; step++) {
        bool stops = strcmp(step->name, "stop writes") == 0;
        if (step->is_wanted && !step->is_wanted(plan))
            continue;
        cJSON *item = add(list, step->name, stops ? stop_of(plan) : find(before, step->name), false);
        if (stops)
            json_add_bool(item, "byOperator", plan->stop_writes == STOP_OPERATOR);
    }
    for (const struct outline *step = behind; step->name; step++)
        if (!step->is_wanted || step->is_wanted(plan))
            add(list, step->name, step, true);
    return list;
}
