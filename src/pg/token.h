/* SQL text, token by token (PostgreSQL documentation, "Lexical Structure"), with standard_conforming_strings on. */
#ifndef PGC_PG_TOKEN_H
#define PGC_PG_TOKEN_H

#include <stddef.h>

enum token {
    TOKEN_END,
    TOKEN_BLANK, /* blanks, or one comment */
    TOKEN_WORD,  /* a keyword, an unquoted name, a number */
    TOKEN_NAME,  /* "a quoted name" */
    TOKEN_STRING, /* 'text', E'text' or $tag$text$tag$ */
    TOKEN_OTHER, /* one character */
};

/* What text begins with, *len bytes of it; 0 at the end. What is not ended goes to the end of the text. */
enum token token_next(const char *text, size_t *len);
/* To the first token that is neither blank nor comment. Borrowed. */
const char *token_skip_blank(const char *text);

#endif
