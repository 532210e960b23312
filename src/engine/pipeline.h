/* The state machine of one database's migration. */
#ifndef PGC_ENGINE_PIPELINE_H
#define PGC_ENGINE_PIPELINE_H

#include "engine/supervisor.h"

/* Brings a pipeline to the state that the journal knows. */
void pipeline_restore(struct supervisor *s, struct pipeline *p);

/* Does whatever its state asks for now: starts and stops workers, hands out jobs, moves on. Called
 * after every event and every quarter of a second; never blocks. */
void pipeline_turn(struct supervisor *s, struct pipeline *p);

/* To the next state of the table. */
void pipeline_advance(struct supervisor *s, struct pipeline *p);

/* One that has not come further than catching up goes back to loading. */
void pipeline_load_again(struct supervisor *s, struct pipeline *p);

/* A message from one of its workers; taken by the caller. */
void pipeline_message(struct supervisor *s, struct worker *w, const cJSON *message);
/* A worker has ended; err is empty when it was done or had been asked to stop. */
void pipeline_worker_ended(struct supervisor *s, struct worker *w, struct err *err);

/* Gives the migration of this database up: what was made on the source is undone. err is taken. */
void pipeline_give_up(struct supervisor *s, struct pipeline *p, struct err *err);

/* What operators ask for: pause, resume, cancel, cutover, delete. */
/* Holds a pipeline with an error (taken) that needs somebody; "resume" goes on. */
void pipeline_stop(struct supervisor *s, struct pipeline *p, struct err *err);

struct pipeline_command;

/* By its name, NULL: none is called so. */
const struct pipeline_command *pipeline_command_find(const char *name);
/* Does the state allow it? ERR_USAGE with the reason; nothing is changed. err may be NULL. */
bool pipeline_may(const struct supervisor *s, const struct pipeline *p,
                  const struct pipeline_command *command, struct err *err);
/* Does it, where the state allows it. ERR_IO when the journal cannot be written. */
bool pipeline_command(struct supervisor *s, struct pipeline *p,
                      const struct pipeline_command *command, struct err *err);

/* Tells the applier, when there is one, that stopped tables may go on. */
void pipeline_tell_retry(struct supervisor *s, struct pipeline *p);

/* The table of states as text, for the manual: one "from -> to: comment" a line. Owned. */
char *pipeline_transitions_text(void);

#endif
