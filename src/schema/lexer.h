/* Where SQL text stands: enough of PostgreSQL's lexical rules (docs, "Lexical Structure") to tell a
 * statement's end from a semicolon inside something, with standard_conforming_strings on. */
#ifndef PGC_SCHEMA_LEXER_H
#define PGC_SCHEMA_LEXER_H

#include <stdbool.h>
#include <stddef.h>

enum lexer_state { LEX_PLAIN, LEX_STRING, LEX_ESTRING, LEX_IDENT, LEX_DOLLAR, LEX_COMMENT };

struct lexer {
    enum lexer_state state;
    int comment_depth;
    char tag[72];   /* "$tag$" that ends a dollar-quoted string: a name is 63 bytes at most */
    size_t tag_len;
};

#define LEXER_INIT {0}

/* Takes one whole line (with its line end, if it has one). *semicolon becomes the offset behind the
 * line's last semicolon that ends a statement, 0 when there is none. */
void lexer_line(struct lexer *lexer, const char *line, size_t len, size_t *semicolon);

#endif
