/* The bytes of home.html, put into the program by bridge/web/embed.cmake. */
#ifndef CONFAB_BRIDGE_WEB_HOME_HTML_H
#define CONFAB_BRIDGE_WEB_HOME_HTML_H

#include <stddef.h>

extern const unsigned char home_html[];
extern const size_t home_html_len;

#endif
