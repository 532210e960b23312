#include "ui/said.h"

#include "base/json.h"
#include "base/xalloc.h"

char *said_error(const cJSON *error, const char *otherwise)
{
    const char *message = json_str(error, "message"), *hint = json_str(error, "hint");

    return message && hint ? xasprintf("%s. %s", message, hint) : xstrdup(message ? message : otherwise);
}
