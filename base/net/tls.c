#include "base/net/tls.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/net/tls_context.h"

struct tls {
    gnutls_session_t session;
    struct tls_context *context;
    bool is_open; /* the handshake is complete */
    bool is_over; /* the client will send no more */
    bool is_broken;
    bool owes_record;       /* the library holds one not completely sent */
    unsigned client_status; /* what is wrong with the client's certificate */
    const char *error;
};

struct tls *tls_new(struct tls_context *x, int fd)
{
    struct tls *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    if (gnutls_init(&t->session,
                    GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
        free(t);
        return NULL;
    }
    t->context = tls_context_ref(x);
    if (!tls_context_apply(x, t->session)) {
        tls_free(t);
        return NULL;
    }
    gnutls_transport_set_int(t->session, fd);
    gnutls_session_set_ptr(t->session, &t->client_status);
    return t;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    gnutls_deinit(t->session);
    tls_context_unref(t->context);
    free(t);
}

const char *tls_error(const struct tls *t)
{
    return t->error;
}

static ssize_t would_block(void)
{
    errno = EAGAIN;
    return -1;
}

/* Translates an error of the library to the conventions of recv(). */
static ssize_t tls_failed(struct tls *t, ssize_t rc)
{
    t->is_broken = true;
    if (rc == GNUTLS_E_PREMATURE_TERMINATION) {
        t->is_over = true; /* MQTT itself knows whether a packet is complete */
        return 0;
    }
    if (rc == GNUTLS_E_PULL_ERROR || rc == GNUTLS_E_PUSH_ERROR) {
        errno = ECONNRESET;
        return -1;
    }
    t->error = gnutls_strerror((int)rc);
    errno = EPROTO;
    return -1;
}

/* The library has one error for everything that may be wrong with a
 * certificate, but a client whose certificate has expired should be told so
 * (RFC 8446 §6.2). */
static const struct {
    unsigned status;
    gnutls_alert_description_t alert;
    const char *text;
} certificate_faults[] = {
    {GNUTLS_CERT_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED,
     "the client's certificate was revoked"},
    {GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA,
     "the client's certificate is of no CA in mqtt.tls_client_ca"},
    {GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED,
     "the client's certificate has expired"},
    {GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_BAD_CERTIFICATE,
     "the client's certificate is not valid yet"},
    {GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
     "the client's certificate is not meant for TLS clients"},
};

static const char *say_why(struct tls *t, int rc)
{
    for (size_t i = 0;
         i < sizeof(certificate_faults) / sizeof(certificate_faults[0]); i++) {
        if (!(t->client_status & certificate_faults[i].status))
            continue;
        (void)gnutls_alert_send(t->session, GNUTLS_AL_FATAL,
                                certificate_faults[i].alert);
        return certificate_faults[i].text;
    }
    (void)gnutls_alert_send_appropriate(t->session, rc);
    return gnutls_strerror(rc);
}

/* 1: the handshake is complete; otherwise like recv(). */
static ssize_t shake_hands(struct tls *t)
{
    const int rc = gnutls_handshake(t->session);

    if (rc == 0) {
        t->is_open = true;
        return 1;
    }
    if (!gnutls_error_is_fatal(rc))
        return would_block(); /* or a warning alert: read on later */
    const char *why = say_why(t, rc);
    const ssize_t end = tls_failed(t, rc);
    if (t->error != NULL)
        t->error = why;
    return end;
}

/* Renegotiation (TLS 1.2) is not supported, and no client needs it. */
static bool is_only_for_now(ssize_t rc)
{
    return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED ||
           rc == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

ssize_t tls_read(struct tls *t, char *to, size_t room)
{
    size_t got = 0;

    assert(room >= TLS_RECORD_MAX);
    if (t->is_over)
        return 0;
    if (t->is_broken) {
        errno = t->error != NULL ? EPROTO : ECONNRESET;
        return -1;
    }
    if (!t->is_open) {
        const ssize_t rc = shake_hands(t);
        if (rc <= 0)
            return rc;
    }
    while (room - got >= TLS_RECORD_MAX) {
        const ssize_t n = gnutls_record_recv(t->session, to + got, room - got);
        if (n > 0) {
            got += (size_t)n;
            continue;
        }
        if (n == 0) {
            t->is_over = true;
            return (ssize_t)got;
        }
        if (is_only_for_now(n))
            break;
        /* Complete records are delivered before the failure is reported. */
        const ssize_t rc = tls_failed(t, n);
        return got > 0 ? (ssize_t)got : rc;
    }
    return got > 0 ? (ssize_t)got : would_block();
}

/* The next bytes after `skip`, at most a record: in place if they are
 * contiguous, otherwise copied to `record`. */
static const void *next_record(const struct iovec *runs, int count,
                               size_t skip, char *record, size_t *ret_len)
{
    size_t len = 0;

    while (count > 0 && skip >= runs->iov_len) {
        skip -= runs->iov_len;
        runs++;
        count--;
    }
    if (count == 0) {
        *ret_len = 0;
        return NULL;
    }
    if (count == 1 || runs->iov_len - skip >= TLS_RECORD_MAX) {
        *ret_len = runs->iov_len - skip < TLS_RECORD_MAX ? runs->iov_len - skip
                                                         : TLS_RECORD_MAX;
        return (const char *)runs->iov_base + skip;
    }
    for (; count > 0 && len < TLS_RECORD_MAX; runs++, count--, skip = 0) {
        size_t n = runs->iov_len - skip;
        if (n > TLS_RECORD_MAX - len)
            n = TLS_RECORD_MAX - len;
        memcpy(record + len, (const char *)runs->iov_base + skip, n);
        len += n;
    }
    *ret_len = len;
    return record;
}

/* Combine small runs into few records: each record costs 22 bytes and a system
 * call. */
ssize_t tls_write(struct tls *t, const struct iovec *runs, int count)
{
    char record[TLS_RECORD_MAX];
    size_t done = 0;

    if (!t->is_open || t->is_broken) {
        errno = EPIPE;
        return -1;
    }
    for (;;) {
        size_t len = 0;
        const void *next = NULL;
        /* NULL, 0 means the record that the library kept
         * (gnutls_record_send()); its bytes are still the first of `runs`. */
        if (!t->owes_record &&
            (next = next_record(runs, count, done, record, &len)) == NULL)
            return (ssize_t)done;
        const ssize_t n = gnutls_record_send(t->session, next, len);
        t->owes_record = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
        if (t->owes_record)
            return done > 0 ? (ssize_t)done : would_block();
        if (n < 0) {
            (void)tls_failed(t, n);
            errno = EPIPE;
            return -1;
        }
        done += (size_t)n;
    }
}

bool tls_wants_write(const struct tls *t)
{
    return !t->is_open && !t->is_broken &&
           gnutls_record_get_direction(t->session) == 1;
}

bool tls_end(struct tls *t)
{
    if (!t->is_open || t->is_broken)
        return true;
    return gnutls_bye(t->session, GNUTLS_SHUT_WR) != GNUTLS_E_AGAIN;
}
