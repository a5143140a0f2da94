/* The table of settings. Columns: section, key, type, field, default, range,
 * unit and meaning. It drives parser, --help and docs/configuration.md. */
#ifndef CONFAB_BASE_CONFIG_KEYS_H
#define CONFAB_BASE_CONFIG_KEYS_H

/* The keys of one HTTP API, section [door:NAME]; the field is door_NAME. The
 * section's name must have no blanks around its colon. */
/* clang-format off */
#define DOOR_KEYS(CHOICE, TEXT, name, initial, what)                          \
    CHOICE(door:name, enabled, door_##name.enabled, initial, "yes no",        \
           "whether HTTP serves " what)                                       \
    TEXT(door:name, prefix, door_##name.prefix, "", "path",                   \
         "prefix of all its paths, like /iot; empty: none")                   \
    TEXT(door:name, listen, door_##name.listen, "", "address:port",           \
         "address and port where it is alone, with the threads, limits and "  \
         "proxies of http.listen; empty: it is at http.listen")
/* Whose rooms they are, and how much one address may ask for. */
#define ROOMS_KEYS(TEXT, NUMBER)                                              \
    TEXT(door:rooms, tenant, rooms.tenant, "community", "tenant",             \
         "whose users and rooms they are; made at start if there is none")    \
    NUMBER(door:rooms, register_burst, rooms.register_limit.burst, 60, 1,     \
           65536, "requests",                                                 \
           "most registrations of one client address at once; then "          \
           "door:rooms.register_rate")                                        \
    NUMBER(door:rooms, register_rate, rooms.register_limit.rate, 1, 1, 65536, \
           "1/s", "registrations per second of one client address")           \
    NUMBER(door:rooms, login_burst, rooms.login_limit.burst, 60, 1, 65536,    \
           "requests",                                                        \
           "most logins of one client address at once, also of guests; then " \
           "door:rooms.login_rate")                                           \
    NUMBER(door:rooms, login_rate, rooms.login_limit.rate, 2, 1, 65536,       \
           "1/s", "logins per second of one client address")                  \
    NUMBER(door:rooms, room_burst, rooms.room_limit.burst, 60, 1, 65536,      \
           "requests",                                                        \
           "most rooms that one client address may create at once; then "     \
           "door:rooms.room_rate")                                            \
    NUMBER(door:rooms, room_rate, rooms.room_limit.rate, 1, 1, 65536, "1/s",  \
           "rooms per second that one client address may create")
/* Socket.IO at the rooms door. */
#define ROOMS_SOCKET_KEYS(NUMBER)                                             \
    NUMBER(door:rooms, ping_interval, rooms.ping_interval, 25000, 100,        \
           3600000, "ms",                                                     \
           "how often clients of Socket.IO are sent a ping")                  \
    NUMBER(door:rooms, ping_timeout, rooms.ping_timeout, 20000, 100, 3600000, \
           "ms", "how long they may take to answer it")                       \
    NUMBER(door:rooms, connect_timeout, rooms.connect_timeout, 45000, 100,    \
           3600000, "ms",                                                     \
           "how long they may take to connect the namespace /")               \
    NUMBER(door:rooms, payload_max, rooms.payload_max, 100000, 10000,         \
           16777216, "bytes",                                                 \
           "most bytes of one message of Socket.IO, and of one POST of a "    \
           "client that polls")
/* clang-format on */

/* TEXT(section, key, field, default, unit, meaning)
 * NUMBER(section, key, field, default, min, max, unit, meaning)
 * CHOICE(section, key, field, default, choices, meaning) */
#define CONFIG_KEYS(TEXT, NUMBER, CHOICE)                                     \
    TEXT(http, listen, http_listen, "127.0.0.1:8080", "address:port",         \
         "address and port for HTTP; port 0 picks a free port")               \
    NUMBER(http, workers, http_workers, 0, 0, 256, "threads",                 \
           "HTTP threads; 0: one per core")                                   \
    NUMBER(http, streamers, http_streamers, 0, 0, 64, "threads",              \
           "threads that serve open streams; 0: one per core, less one "      \
           "for the writer")                                                  \
    NUMBER(http, idle_timeout, http_idle_timeout, 75, 1, 86400, "seconds",    \
           "how long a connection without a request is kept open; "           \
           "announced in Keep-Alive")                                         \
    NUMBER(http, header_timeout, http_header_timeout, 30, 1, 86400,           \
           "seconds",                                                         \
           "most time from the first byte of a request to the end of "        \
           "its headers; then 408")                                           \
    NUMBER(http, body_timeout, http_body_timeout, 30, 1, 86400, "seconds",    \
           "most time for a request body, plus one second for every "         \
           "256 bytes received, and most time without any byte of it; "       \
           "then 408")                                                        \
    NUMBER(http, write_timeout, http_write_timeout, 300, 1, 86400, "seconds", \
           "how long a client may read nothing of a response before "         \
           "its connection is closed")                                        \
    TEXT(http, trusted_proxies, http_trusted_proxies, "", "addresses",        \
         "addresses and networks (10.0.0.0/8, ::1) of proxies whose "         \
         "Forwarded and X-Forwarded-For say who a client is, separated by "   \
         "commas; limits.connections_per_address does not hold for them; "    \
         "empty: none")                                                       \
    CHOICE(http, proxy_protocol, http_proxy_protocol, "off", "on off",        \
           "on: every connection to http.listen comes from one of "           \
           "http.trusted_proxies and begins with a PROXY protocol header "    \
           "(version 1 or 2), which says who the client is; others are "      \
           "closed")                                                          \
    DOOR_KEYS(CHOICE, TEXT, thingschat, "yes",                                \
              "the ThingsChat API and the home page")                         \
    DOOR_KEYS(CHOICE, TEXT, rooms, "no", "chat rooms (docs/rooms.md)")        \
    ROOMS_KEYS(TEXT, NUMBER)                                                  \
    ROOMS_SOCKET_KEYS(NUMBER)                                                 \
    TEXT(mqtt, listen, mqtt_listen, "127.0.0.1:1883", "address:port",         \
         "address and port for MQTT; port 0 picks a free port")               \
    TEXT(mqtt, tls_listen, mqtt_tls_listen, "", "address:port",               \
         "address and port for MQTT over TLS, usually port 8883; "            \
         "empty: no TLS")                                                     \
    TEXT(mqtt, tls_cert, mqtt_tls_cert, "", "file",                           \
         "PEM file with the server's certificate and the "                    \
         "intermediate certificates up to its CA; read again on "             \
         "SIGHUP, like the next two")                                         \
    TEXT(mqtt, tls_key, mqtt_tls_key, "", "file",                             \
         "PEM file with the certificate's private key, without a "            \
         "passphrase")                                                        \
    TEXT(mqtt, tls_client_ca, mqtt_tls_client_ca, "", "file",                 \
         "PEM file with the CAs that may issue client certificates")          \
    CHOICE(mqtt, tls_client_cert, mqtt_tls_client_cert, "none",               \
           "none optional required",                                          \
           "whether clients are asked for a certificate; one that is "        \
           "sent must be valid")                                              \
    TEXT(mqtt, trusted_proxies, mqtt_trusted_proxies, "", "addresses",        \
         "addresses and networks of the proxies that mqtt.proxy_protocol is " \
         "for, like http.trusted_proxies; empty: none")                       \
    CHOICE(mqtt, proxy_protocol, mqtt_proxy_protocol, "off", "on off",        \
           "on: the same as http.proxy_protocol, for mqtt.listen and "        \
           "mqtt.tls_listen; before TLS begins")                              \
    NUMBER(mqtt, workers, mqtt_workers, 0, 0, 256, "threads",                 \
           "broker threads; 0: one per core, less one for the writer")        \
    NUMBER(mqtt, keep_alive_max, mqtt_keep_alive_max, 0, 0, 65535, "seconds", \
           "longest keep-alive of MQTT 5 clients (Server Keep Alive); "       \
           "0: clients choose")                                               \
    NUMBER(mqtt, sys_interval, mqtt_sys_interval, 10, 0, 86400, "seconds",    \
           "how often the server's figures are published as "                 \
           "$SYS/broker/...; 0: never")                                       \
    TEXT(metrics, listen, metrics_listen, "", "address:port",                 \
         "address and port for GET /metrics (Prometheus), of confab run "     \
         "and confab broker; not encrypted and without a password: keep "     \
         "it on loopback; port 0 picks a free port; empty: off")              \
    TEXT(metrics, bridge_listen, metrics_bridge_listen, "", "address:port",   \
         "the same for a confab bridge that runs as its own process")         \
    TEXT(store, path, store_path, "data", "folder",                           \
         "the data folder, created if missing (also --data)")                 \
    NUMBER(store, map_size, store_map_size, MAP_SIZE_DEFAULT, 1048576,        \
           MAP_SIZE_MAX, "bytes",                                             \
           "most space the stored data may occupy; writes beyond it "         \
           "are refused")                                                     \
    NUMBER(store, clock_jump_max, store_clock_jump_max, 86400, 0, UINT32_MAX, \
           "seconds",                                                         \
           "when the clock is set further ahead than this, nothing is "       \
           "deleted for its age or expiry until store.clock_grace is "        \
           "over; 0: the clock is always trusted")                            \
    NUMBER(store, clock_grace, store_clock_grace, 86400, 0, UINT32_MAX,       \
           "seconds", "how long the clock is not trusted after such a jump")  \
    CHOICE(tokens, access, tokens_access, "auto", "auto open registered",     \
           "open: any token works, for local requests (operations.md); "      \
           "registered: only created tokens; auto: open while every "         \
           "listener is on loopback, otherwise registered")                   \
    TEXT(tokens, default_plan, tokens_default_plan, "free", "plan",           \
         "plan of tokens created by POST /tokens and the home page, "         \
         "and of tokens whose plan is no longer configured")                  \
    TEXT(tokens, operator_plan, tokens_operator_plan, "", "plan",             \
         "plan of tokens created by confab token create; empty: "             \
         "tokens.default_plan if that is set, otherwise home")                \
    CHOICE(tokens, public_creation, tokens_public_creation, "on", "on off",   \
           "whether POST /tokens and the home page create tokens for "        \
           "everybody")                                                       \
    NUMBER(tokens, create_per_hour, tokens_create_per_hour, 10, 0,            \
           UINT32_MAX, "tokens",                                              \
           "most tokens one client address may create per hour; 0: no "       \
           "limit")                                                           \
    NUMBER(limits, connections, limits_connections, 0, 0, 16777216,           \
           "connections",                                                     \
           "most open connections: MQTT, streams and HTTP together; 0: "      \
           "the limit of open files less 128")                                \
    NUMBER(limits, connections_per_address, limits_connections_per_address,   \
           0, 0, 16777216, "connections",                                     \
           "most HTTP connections of one client address (IPv6: one "          \
           "/64), not counting streams, and as many MQTT connections "        \
           "without a CONNECT; none for trusted proxies; 0: a quarter of "    \
           "limits.connections, and no limit for loopback, where proxies "    \
           "connect")                                                         \
    NUMBER(limits, token_share, limits_token_share, 50, 1, 100, "percent",    \
           "largest part of store.map_size that one token's data may "        \
           "occupy, whatever its plan")                                       \
    TEXT(outgoing, allow, outgoing_allow, "", "addresses",                    \
         "addresses and ranges, like 10.1.0.0/16 fd12::/16, that webhooks "   \
         "may be sent to although they are not public; empty: none")          \
    TEXT(outgoing, ca_file, outgoing_ca_file, "", "file",                     \
         "PEM file with CAs that are trusted for https besides the "          \
         "system's")                                                          \
    NUMBER(outgoing, concurrent, outgoing_concurrent, 256, 1, 65536,          \
           "requests", "most outgoing requests in flight")                    \
    NUMBER(outgoing, per_host, outgoing_per_host, 8, 1, 65536, "requests",    \
           "most of them to one host and port")                               \
    NUMBER(outgoing, per_tenant, outgoing_per_tenant, 32, 1, 65536,           \
           "requests", "most of them for one tenant")                         \
    NUMBER(outgoing, queue, outgoing_queue, 4096, 1, 1048576, "requests",     \
           "most outgoing requests in flight or waiting for their turn")      \
    NUMBER(webhooks, attempts, webhooks_attempts, 20, 1, 1000, "attempts",    \
           "how often delivering a message to a webhook is tried before it "  \
           "is dead (confab webhook list --dead)")                            \
    NUMBER(webhooks, retry_first, webhooks_retry_first, 5, 1, 86400,          \
           "seconds",                                                         \
           "wait after the first failed attempt; doubles each "               \
           "time")                                                            \
    NUMBER(webhooks, retry_max, webhooks_retry_max, 3600, 1, 604800,          \
           "seconds",                                                         \
           "longest wait between two attempts, also where the "               \
           "receiver's Retry-After asks for more")                            \
    NUMBER(webhooks, timeout, webhooks_timeout, 30, 1, 600, "seconds",        \
           "how long an attempt may take, connecting included")               \
    CHOICE(log, level, log_level, "info", "error warn info debug",            \
           "least severe level that is logged")

/* Section [plan:NAME]; X(key, unit, free, home, paid, local, meaning). */
#define CONFIG_PLAN_KEYS(X)                                                   \
    X(writes_per_hour, "messages", 100, 0, 0, 0, "writes per token and hour") \
    X(reads_per_hour, "requests", 60, 0, 0, 0,                                \
      "reads per token and hour; a live stream counts 5")                     \
    X(payload_max, "bytes", 10240, 1048576, 10240, 1048576,                   \
      "largest message")                                                      \
    X(connections, "connections", 100, 10000, 10000, 0,                       \
      "most MQTT connections of a token at a time, and as many "              \
      "live streams")                                                         \
    X(inflight, "messages", 0, 0, 0, 0,                                       \
      "most unacknowledged PUBLISHes per connection (Receive "                \
      "Maximum)")                                                             \
    X(sessions_max, "sessions", 100, 10000, 10000, 0,                         \
      "most MQTT sessions of a token that outlive their "                     \
      "connection")                                                           \
    X(session_expiry, "seconds", 604800, 0, 0, 0,                             \
      "longest time such a session is kept without a connection")             \
    X(session_bytes_max, "bytes", 4194304, 268435456, 268435456, 0,           \
      "most bytes such sessions of a token occupy: subscriptions, "           \
      "wills, messages in flight")                                            \
    X(filters_max, "filters", 200, 0, 0, 0,                                   \
      "most filters of one MQTT client; 0: 10000")                            \
    X(client_id_max, "bytes", 256, 1024, 1024, 0,                             \
      "longest MQTT client id; at least 23 is allowed")                       \
    X(things_max, "things", 1000, 100000, 100000, 0, "most things per token") \
    X(bytes_max, "bytes", 268435456, 0, 0, 0,                                 \
      "most bytes the messages of a token occupy, properties "                \
      "included")                                                             \
    X(idle_timeout, "seconds", 180, 0, 0, 0,                                  \
      "a live stream is ended when nothing was sent for this long")           \
    X(retry_ms, "milliseconds", 60000, 3000, 0, 3000,                         \
      "how long EventSource waits before it reconnects")                      \
    X(keepalive, "seconds", 0, 20, 20, 15,                                    \
      "interval of comments on a quiet live stream")                          \
    X(retention_count, "messages", 0, 0, 0, 0,                                \
      "most messages kept per thing")                                         \
    X(retention_age, "seconds", 0, 0, 0, 0, "how long a message is kept")

#endif
