/* Confab's own conventions on top of MQTT 5: the names that broker and bridge
 * share, as neither includes the other. docs/mqtt.md describes them to users.
 *
 * User properties whose name starts with RESERVED_PREFIX are refused from
 * anyone but an administrator (PUBACK 0x83). */
#ifndef CONFAB_BASE_VOCABULARY_H
#define CONFAB_BASE_VOCABULARY_H

#define RESERVED_PREFIX "confab-"

/* CONNECT user property `confab` = one of these; may be given several times. */
#define PROP_ASK "confab"
#define ASK_STAMP "stamp" /* each delivered PUBLISH carries id, seq, at */
#define ASK_RECEIPTS "receipts" /* each PUBACK carries them too */
/* Each delivered PUBLISH has its topic, its payload and the stamp, and none of
 * the publisher's properties; a message whose topic is not printable ASCII
 * comes in an envelope (base/envelope.h). So it contains no string from a
 * publisher that a library may reject: libmosquitto, for example, closes the
 * connection for a control character in any string. The link and the command
 * line request it. */
#define ASK_BARE "bare"
/* Each delivered PUBLISH is a stamped envelope (base/envelope.h): one topic, no
 * property, and in the payload all that a reader of the log would know. It goes
 * before the other two, which are for servers that do not know it. */
#define ASK_ENVELOPES "envelopes"
/* Administrators with stamped envelopes: edits, deletions and purges come on the topic
 * of the thing as well, in their order with messages and also when the log is read:
 * envelopes with another kind and, as the payload, the event's JSON. */
#define ASK_CHANGES "changes"

/* On a delivered PUBLISH (stamp) and on a PUBACK (receipts), decimal. */
#define PROP_ID "confab-id"
#define PROP_SEQ "confab-seq"
#define PROP_AT "confab-at" /* microseconds since 1970 */

/* On a PUBLISH from an administrator (the bridge's link). */
#define PROP_OP "confab-op" /* operation id: a repeat gets the first result */
#define PROP_IDEMPOTENCY "confab-idempotency" /* the HTTP Idempotency-Key */
/* "json": already checked, do not parse again */
#define PROP_CLASS "confab-class"
/* token's read window as the bridge knows it: start, microseconds since 1970 */
#define PROP_CHARGE "confab-charge"

/* the user whose message it is (base/caller.h), at most 256 bytes */
#define PROP_SENDER "confab-sender"
/* his address, for bans: only of messages with a sender to rooms */
#define PROP_ADDRESS "confab-address"

/* On the PUBACK to an administrator. */
#define PROP_STATUS "confab-status" /* HTTP-like: 200 400 401 413 429 507 */
#define PROP_RESULT "confab-result" /* JSON, at most 16 KiB (commands) */
#define PROP_REMAINING "confab-remaining" /* writes left in this window */
/* seconds; with 429. Also to ordinary v5 clients (0x97) */
#define PROP_RETRY_AFTER "confab-retry-after"
/* "1": answered from an earlier result, nothing was stored, nothing counted */
#define PROP_REPEAT "confab-repeat"

/* Commands: PUBLISH, QoS 1, administrators only; body a msgpack map, but for
 * `append`. The PUBACK has PROP_STATUS and PROP_RESULT; of a refusal by the writer
 * that is {"refused":"EXISTS"}, a name of COMMAND_RESULTS (store/command.h).
 *
 *  token_create  {token: str (chosen by the caller from a CSPRNG), plan: str}
 *                → {"token":…,"plan":…}; 409 when it exists
 *  token_revoke  {token: str} → {"token":…,"revoked":true}; 404
 *  token_set     {token: str, plan: str} another plan → {"token":…,"plan":…};
 *                404, 401 when revoked
 *  token_delete  {token: str} revokes it and removes all that is stored under
 *                it, in steps → {"removed":messages,"more":bool}; while there is
 *                more the server goes on by itself, and with the next such
 *                command; 404: no such token, so it is done
 *  thing_purge   {topic: str} removes the messages the thing has now, and, when
 *                none came since, the thing → the same; 404
 *                With tell: 1, at once, in the log for its readers: those before
 *                `before` (an id; 0 or none: all), by: the user
 *  message_edit  {message: a row of the log of kind EDIT with topic, about,
 *                payload, changed by; idempotency: str; window: int µs} gives the
 *                message another payload → {"id":of the entry,"seq":…,"at":µs};
 *                404, 410 when it was deleted
 *  message_delete  the same with kind DELETE and without a payload
 *  webhook_save  what the bridge says of a webhook (store/command/webhook.h) → {}
 *  webhook_retry {tenant: str, ids: [int], all: 1} dead messages are to be sent
 *                again → {"tenant":…,"marked":n}; 404: none of them is dead
 *  usage         {token: str, start: int µs, reads: int} reads charged so far in
 *                the window that began at `start`; → {}
 *  ping          {} → {} ; a real write of a row of `meta` and its commit
 *  trim          {topic: str, through: int id} remove messages up to that id,
 *                whole chunks → {"removed":n}
 *  clients       {token: str, client: str in which * matches any text, address:
 *                str, full: 1 (whole tokens), from: str; all optional} →
 *                {"clients":[…],"next":…}: the connected clients, in pages.
 *                To get the next page send `next` as `from`; null: no more. A
 *                client: {"token":… (null: nameless),"client":…,"client_bytes":
 *                n (only where the id is longer than shown),"key":… (key id, or
 *                jwt; only of those that came with one),"address":…,
 *                "version":"5.0","transport":"tcp","since":ISO time,
 *                "keep_alive_s":n,"subscriptions":n,"inflight":n,
 *                "queued_bytes":n,"catching_up":bool,
 *                "expiry_s":n (null: never)}. With refused: 1 it lists
 *                recent refusals instead → {"refused":[…],"next":…}: {"token":
 *                …,"client":…,"client_bytes":n,"address":…,"packet":"PUBLISH",
 *                "count":n,"first":ISO time,"last":ISO time,"reason":…}
 *  kick          {token: str, client: str (exactly), address: str, all: 1, from}
 *                client and token, address, or all and token; token "": the
 *                nameless. Disconnects them → {"kicked":n,"next":…} likewise
 *  status        {} → the broker's counters as JSON (not through the writer)
 *  doors         a JSON object, at most 4 KiB, instead of a map: where the bridge's HTTP
 *                APIs are. `status` shows it for DOORS_TOLD_US; {}: nowhere any more
 *                (not through the writer)
 *  trace         {token: str} → {"lines":[{"at_us":…,"mono_us":…,"hop":text,
 *                "who":text,"number":…,"thing":text,"id":…,"ref":…,"bytes":…},…],
 *                "dropped":n,"more":bool}: the hops of that token's messages
 *                since the last time (base/trace.h), which are kept for 3 s more
 *                (not through the writer); 409: another connection follows one
 *  append        1 to APPEND_MAX messages, each as if published by itself with
 *                QoS 1; body and answer: base/msgpack/append_bundle.h */
#define COMMAND_DOORS_NAME "doors"
#define DOORS_TOLD_MAX 4096
#define DOORS_TOLD_US INT64_C(15000000) /* the bridge repeats it before */
#define COMMAND_PREFIX "$confab/"
#define COMMAND_APPEND_NAME "append"

/* Topics of an envelope, and of a stamped one. */
#define ENVELOPE_TOPIC COMMAND_PREFIX "message"
#define STAMPED_TOPIC COMMAND_PREFIX "stamped"

/* Events, which are not stored: `$events/<token>/<kind>/<thing>`. The server
 * publishes kind `revoked` (with an empty thing) when a token has been
 * revoked. */
#define EVENTS_PREFIX "$events/"
#define EVENT_REVOKED "revoked"
/* A key of the tenant was revoked; the thing is its key id. With a payload it holds until
 * then, microseconds since 1970: it was rotated. */
#define EVENT_KEY_REVOKED "key_revoked"
/* Something of the tenant is to be looked up anew: its settings, whether it is
 * suspended, dead messages of its webhook that are to be sent again; the thing is
 * empty. */
#define EVENT_CHANGED "changed"
/* Messages of the thing were changed; the payload is JSON (store/message_json.h). */
#define EVENT_EDIT "edit"
#define EVENT_DELETE "delete"
#define EVENT_PURGE "purge"

/* In the data folder. */
#define SOCKET_NAME "confab.sock"   /* for administrators: same uid or root */
#define CLIENTS_NAME "clients.sock" /* for connections the bridge hands over */
#define LOCK_NAME "confab.lock"     /* flock()ed by the process that writes */
#define WEBHOOKS_LOCK_NAME "webhooks.lock" /* by the bridge that delivers */

#endif
