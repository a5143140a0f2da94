/* Pages and documents as bytes, put into the program by bridge/web/embed.cmake:
 * it needs no file at run time, and what it serves fits its version. */
#ifndef CONFAB_BRIDGE_WEB_PAGES_H
#define CONFAB_BRIDGE_WEB_PAGES_H

#include <stddef.h>

extern const unsigned char home_html[]; /* bridge/web/home.html */
extern const size_t home_html_len;
extern const unsigned char http_md[]; /* docs/http.md */
extern const size_t http_md_len;
extern const unsigned char mqtt_md[]; /* docs/mqtt.md */
extern const size_t mqtt_md_len;

#endif
