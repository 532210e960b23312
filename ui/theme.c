#include "ui/theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/files.h"

static const struct {
    const char *name;
    char letter;
} roles[ROLE_COUNT] = {
    [ROLE_TEXT] = {"text", ' '},         [ROLE_TITLE] = {"title", 'T'},     [ROLE_DIM] = {"dim", 'd'},
    [ROLE_OK] = {"ok", 'o'},             [ROLE_WARNING] = {"warning", 'w'}, [ROLE_ERROR] = {"error", 'e'},
    [ROLE_BUSY] = {"busy", 'b'},         [ROLE_BAR] = {"bar", '#'},         [ROLE_REST] = {"bar-rest", '.'},
    [ROLE_CHART] = {"chart", 'c'},       [ROLE_KEY] = {"key", 'k'},         [ROLE_SELECTED] = {"selected", 's'},
    [ROLE_INPUT] = {"input", 'i'},       [ROLE_FRAME] = {"frame", 'f'},     [ROLE_HEADER] = {"header", 'h'},
};

static const char *const colours[] = {"black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"};
static const char *const attributes[] = {"bold", "dim", "reverse", "underline"};

const char *role_name(enum role role)
{
    return roles[role].name;
}

char role_letter(enum role role)
{
    return roles[role].letter;
}

static int find(const char *const *names, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], word) == 0)
            return (int)i;
    return -1;
}

static bool parse_colour(const char *word, int *colour)
{
    bool bright = strncmp(word, "bright-", 7) == 0;
    int found = find(colours, 8, bright ? word + 7 : word);

    *colour = found < 0 ? COLOUR_DEFAULT : found + (bright ? 8 : 0);
    return found >= 0 || strcmp(word, "default") == 0;
}

/* "white on blue bold". False: *bad is the word that means nothing. */
static bool parse_style(char *text, struct style *style, const char **bad)
{
    bool background = false;
    char *save = NULL;

    *style = (struct style){COLOUR_DEFAULT, COLOUR_DEFAULT, 0};
    for (char *word = strtok_r(text, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
        int attribute = find(attributes, 4, word);
        int colour;
        *bad = word;
        if (!background && strcmp(word, "on") == 0) {
            background = true;
            continue;
        }
        if (attribute >= 0)
            style->attributes |= 1U << attribute;
        else if (!parse_colour(word, &colour))
            return false;
        else if (background)
            style->background = colour;
        else
            style->foreground = colour;
    }
    return true;
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && strchr(" \t\r", end[-1]))
        *--end = '\0';
    return text + strspn(text, " \t");
}

static bool parse_line(struct theme *theme, char *line, struct err *err)
{
    char *equals = strchr(line, '=');
    const char *bad = "";

    line = trim(line);
    if (!*line || *line == '#')
        return true;
    if (!equals) {
        err_set(err, ERR_USAGE, "a line is \"role = colour on colour attributes\", not \"%s\"", line);
        return false;
    }
    *equals = '\0';
    char *name = trim(line);
    for (int i = 0; i < ROLE_COUNT; i++) {
        if (strcmp(roles[i].name, name) != 0)
            continue;
        if (parse_style(equals + 1, &theme->styles[i], &bad))
            return true;
        err_set(err, ERR_USAGE, "\"%s\" is neither a colour nor an attribute", bad);
        err_hint(err, "Colours are default, black, red, green, yellow, blue, magenta, cyan, white, each also "
                      "with bright- before it; attributes are bold, dim, reverse, underline.");
        return false;
    }
    err_set(err, ERR_USAGE, "there is no role \"%s\"", name);
    err_hint(err, "man pgcutover-theme lists the roles.");
    return false;
}

bool theme_parse(struct theme *theme, const char *text, const char *origin, struct err *err)
{
    struct theme parsed;
    char *copy = xstrdup(text);
    char *rest = copy;
    char *line;
    bool ok = true;

    for (int i = 0; i < ROLE_COUNT; i++)
        parsed.styles[i] = (struct style){COLOUR_DEFAULT, COLOUR_DEFAULT, 0};
    for (unsigned number = 1; ok && (line = strsep(&rest, "\n")); number++) {
        ok = parse_line(&parsed, line, err);
        if (!ok)
            err_wrap(err, "%s:%u", origin, number);
    }
    if (ok)
        *theme = parsed;
    free(copy);
    return ok;
}

bool theme_read(struct theme *theme, const char *path, struct err *err)
{
    struct buf text = BUF_INIT;
    bool ok = file_read(path, &text, err) && theme_parse(theme, text.data ? text.data : "", path, err);

    buf_release(&text);
    return ok;
}

static char *user_path(const char *name)
{
    const char *xdg = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");

    if (xdg && xdg[0] == '/')
        return xasprintf("%s/pgcutover/themes/%s.theme", xdg, name);
    return xasprintf("%s/.config/pgcutover/themes/%s.theme", home ? home : "", name);
}

static bool find_builtin(struct theme *theme, const char *name, struct err *err)
{
    struct buf known = BUF_INIT;

    for (const struct theme_builtin *b = themes_builtin; b->name; b++) {
        if (strcmp(b->name, name) == 0) {
            buf_release(&known);
            return theme_parse(theme, b->text, name, err);
        }
        buf_addf(&known, "%s%s", known.len ? ", " : "", b->name);
    }
    err_set(err, ERR_USAGE, "there is no theme \"%s\"", name);
    err_hint(err, "There are %s, and the files in pgcutover/themes of your configuration directory.", known.data);
    buf_release(&known);
    return false;
}

bool theme_find(struct theme *theme, const char *name, struct err *err)
{
    char *path = strchr(name, '/') ? NULL : user_path(name);
    bool ok = path && file_exists(path) ? theme_read(theme, path, err) : find_builtin(theme, name, err);

    free(path);
    return ok;
}
