/* New tokens: 24 characters of base64url from a CSPRNG, 144 bits. */
#ifndef CONFAB_BASE_TOKEN_H
#define CONFAB_BASE_TOKEN_H

#define TOKEN_MADE 24

/* Makes a token. It is NUL-terminated, satisfies token_valid(), and does not
 * start with '-', so that no command line mistakes it for an option. Any
 * thread, after sodium_init(). */
void token_make(char ret_token[TOKEN_MADE + 1]);

#endif
