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
/* The whole status, owned by the caller. */
cJSON *control_status(struct control *control, struct err *err);

/* Puts a delta's objects into a status by their "id" (events replace the status's events). */
void control_merge(cJSON *status, const cJSON *delta);

#endif
