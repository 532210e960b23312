/* What the steps of the cutover share, on either side of its point of no return. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/cutover.h"

void work_step(struct work *work, const char *name, const char *state, const char *text)
{
    cJSON *message = json_message("step");

    json_add_str(message, "name", name);
    json_add_str(message, "state", state);
    json_add_str(message, "text", text);
    work_send(work, message);
}

/* Lists come a line each; a step has one line. */
static void one_line(char *text)
{
    size_t len = strlen(text);

    while (len && text[len - 1] == '\n')
        text[--len] = '\0';
    for (; *text; text++)
        if (*text == '\n')
            *text = ';';
}

void cutover_say(struct cutover *c, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    free(c->said);
    c->said = xvasprintf(fmt, args);
    va_end(args);
    one_line(c->said);
}

bool cutover_open(struct cutover *c, struct err *err)
{
    return work_connect(c->work, &c->source, SIDE_SOURCE, CONN_READER, err) &&
           work_connect(c->work, &c->target, SIDE_TARGET, CONN_WRITER, err) &&
           work_connect(c->work, &c->reader, SIDE_TARGET, CONN_READER, err);
}

void cutover_close(struct cutover *c)
{
    conn_close(&c->source);
    conn_close(&c->target);
    conn_close(&c->reader);
}

const char *cutover_bouncer_database(const struct work *work)
{
    const char *given = work->m->plan.bouncer_database;

    return given ? given : work->p->name;
}
