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

/* The pages of the rooms door, bridge/web/rooms/: X(path, file, type), where rooms_<file>
 * are the bytes. */
#define ROOMS_PAGES(X)                                                        \
    X("embed.html", embed_html, "text/html; charset=utf-8")                   \
    X("playground.html", playground_html, "text/html; charset=utf-8")         \
    X("assets/embed.css", embed_css, "text/css; charset=utf-8")               \
    X("assets/playground.css", playground_css, "text/css; charset=utf-8")     \
    X("assets/api.js", api_js, "text/javascript; charset=utf-8")              \
    X("assets/embed.js", embed_js, "text/javascript; charset=utf-8")          \
    X("assets/emoji.js", emoji_js, "text/javascript; charset=utf-8")          \
    X("assets/playground.js", playground_js,                                  \
      "text/javascript; charset=utf-8")                                       \
    X("assets/show.js", show_js, "text/javascript; charset=utf-8")            \
    X("assets/socket.js", socket_js, "text/javascript; charset=utf-8")

#define X(path, file, type)                                                   \
    extern const unsigned char rooms_##file[];                                \
    extern const size_t rooms_##file##_len;
ROOMS_PAGES(X)
#undef X

#endif
