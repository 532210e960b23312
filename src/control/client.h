/* The control socket, client side: what commands and screens use. */
#ifndef PGC_CONTROL_CLIENT_H
#define PGC_CONTROL_CLIENT_H

#include <cjson/cJSON.h>

#include "base/channel.h"
#include "base/err.h"

struct control {
    struct channel channel;
    int engine_pid;
    bool has_control;
    char *controller; /* owned: who has control, NULL nobody */
};

/* Connects to the engine whose state is in dir and says hello. control: asks for control. */
bool control_open(struct control *control, const char *dir, const char *client, bool ask_control,
                  struct err *err);
void control_close(struct control *control);

/* Sends a request (taken) and waits for its answer, owned by the caller; NULL with the engine's error
 * or ERR_NOT_FOUND. Deltas that come in between are dropped. */
cJSON *control_ask(struct control *control, cJSON *request, struct err *err);
/* {"type":"command","command":command,"databaseName":database} */
bool control_command(struct control *control, const char *command, const char *database,
                     struct err *err);
/* The status, owned by the caller; tables: with them. */
cJSON *control_status(struct control *control, bool tables, struct err *err);

/* A copy of the engine's status that deltas keep up to date: each object is found by its "id" at once,
 * also among many thousands of tables. */
struct control_entry;
struct control_view {
    cJSON *status;                /* owned */
    struct control_entry *by_id;  /* private */
};

/* Takes a whole status in place of the one before; NULL empties the view. */
void control_view_set(struct control_view *view, cJSON *status);
/* The object of that id, or NULL. Borrowed until the next merge. */
const cJSON *control_view_find(const struct control_view *view, const char *id);
/* Puts the objects of a delta or a part into the status (a delta's events replace the status's events). */
void control_view_merge(struct control_view *view, const cJSON *delta);

#endif
