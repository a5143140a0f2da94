#include "base/net/tls_context.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error_text.h"
#include "base/log.h"

#define VERSIONS                                                              \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct tls_context {
    atomic_uint references;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    gnutls_certificate_request_t request; /* of client certificates */
};

static bool tls_refuse(struct config_error *ret, const char *key,
                       const char *file, const char *why)
{
    snprintf(ret->text, sizeof(ret->text), "%s %.200s: %.200s", key, file,
             why);
    return false;
}

/* GnuTLS could read the files by itself, but would not say which of the two it
 * could not read. */
static bool read_file(const char *key, const char *file,
                      gnutls_datum_t *ret_bytes,
                      struct config_error *ret_error)
{
    errno = 0;
    const int rc = gnutls_load_file(file, ret_bytes);
    return rc == 0 ||
           tls_refuse(ret_error, key, file,
                      errno != 0 ? error_text(errno) : gnutls_strerror(rc));
}

static void wipe_secret(gnutls_datum_t *bytes)
{
    if (bytes->data != NULL)
        gnutls_memset(bytes->data, 0, bytes->size);
    gnutls_free(bytes->data);
    bytes->data = NULL;
}

/* An expired certificate is still served: a device that checks it reports the
 * error, and a device that does not must not lose its connection. */
static void warn_of_dates(const char *file, gnutls_x509_crt_t certificate)
{
    const time_t now = time(NULL);

    if (gnutls_x509_crt_get_expiration_time(certificate) < now)
        log_warn("broker", "mqtt.tls_cert %s has expired", file);
    else if (gnutls_x509_crt_get_activation_time(certificate) > now)
        log_warn("broker", "mqtt.tls_cert %s is not valid yet", file);
}

static bool check_certificate(const char *file, const gnutls_datum_t *bytes,
                              struct config_error *ret_error)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;
    const int rc = gnutls_x509_crt_list_import2(&chain, &count, bytes,
                                                GNUTLS_X509_FMT_PEM, 0);

    if (rc < 0 || count == 0)
        return tls_refuse(ret_error, "mqtt.tls_cert", file,
                          "no certificate in PEM form in it");
    warn_of_dates(file, chain[0]);
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return true;
}

static bool check_key(const char *file, const gnutls_datum_t *bytes,
                      struct config_error *ret_error)
{
    gnutls_x509_privkey_t key = NULL;
    int rc = gnutls_x509_privkey_init(&key);

    if (rc == 0)
        rc = gnutls_x509_privkey_import2(key, bytes, GNUTLS_X509_FMT_PEM, NULL,
                                         0);
    gnutls_x509_privkey_deinit(key);
    return rc == 0 ||
           tls_refuse(
               ret_error, "mqtt.tls_key", file,
               "no private key in PEM form, without a passphrase, in it");
}

static bool load_identity(struct tls_context *x, const struct config *config,
                          struct config_error *ret_error)
{
    gnutls_datum_t certificate = {0}, key = {0};
    bool good =
        read_file("mqtt.tls_cert", config->mqtt_tls_cert, &certificate,
                  ret_error) &&
        read_file("mqtt.tls_key", config->mqtt_tls_key, &key, ret_error) &&
        check_certificate(config->mqtt_tls_cert, &certificate, ret_error) &&
        check_key(config->mqtt_tls_key, &key, ret_error);

    if (good) {
        const int rc = gnutls_certificate_set_x509_key_mem2(
            x->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (rc < 0)
            good = tls_refuse(ret_error, "mqtt.tls_key", config->mqtt_tls_key,
                              rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
                                  ? "is not the key of mqtt.tls_cert"
                                  : gnutls_strerror(rc));
    }
    wipe_secret(&certificate);
    wipe_secret(&key);
    return good;
}

/* Called in the handshake, even if the client has sent no certificate. */
static int verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT,
    };
    unsigned count = 0, status = 0;

    if (gnutls_certificate_get_peers(session, &count) == NULL || count == 0)
        return 0; /* the request mode decides whether that is enough */
    const int rc =
        gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    if (rc < 0 || status == 0)
        return rc;
    unsigned *ret_status = gnutls_session_get_ptr(session);
    if (ret_status != NULL)
        *ret_status = status;
    return GNUTLS_E_CERTIFICATE_ERROR;
}

static bool load_client_ca(struct tls_context *x, const struct config *config,
                           struct config_error *ret_error)
{
    gnutls_datum_t bytes = {0};

    x->request = GNUTLS_CERT_IGNORE;
    if (config->mqtt_tls_client_cert == CLIENT_CERT_NONE)
        return true;
    if (!read_file("mqtt.tls_client_ca", config->mqtt_tls_client_ca, &bytes,
                   ret_error))
        return false;
    const int count =
        gnutls_certificate_set_x509_trust_mem(x->credentials, &bytes,
                                              GNUTLS_X509_FMT_PEM);
    gnutls_free(bytes.data);
    if (count <= 0)
        return tls_refuse(ret_error, "mqtt.tls_client_ca",
                          config->mqtt_tls_client_ca,
                          "no certificate in PEM form in it");
    x->request = config->mqtt_tls_client_cert == CLIENT_CERT_REQUIRED
                     ? GNUTLS_CERT_REQUIRE
                     : GNUTLS_CERT_REQUEST;
    gnutls_certificate_set_verify_function(x->credentials, verify_client);
    return true;
}

struct tls_context *tls_context_load(const struct config *config,
                                     struct config_error *ret_error)
{
    struct tls_context *x = calloc(1, sizeof(*x));

    snprintf(ret_error->text, sizeof(ret_error->text),
             "mqtt.tls_listen: out of memory");
    if (x == NULL)
        return NULL;
    atomic_init(&x->references, 1);
    if (gnutls_certificate_allocate_credentials(&x->credentials) == 0 &&
        gnutls_priority_init(&x->priority, VERSIONS, NULL) == 0 &&
        load_identity(x, config, ret_error) &&
        load_client_ca(x, config, ret_error))
        return x;
    tls_context_unref(x);
    return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *x)
{
    atomic_fetch_add_explicit(&x->references, 1, memory_order_relaxed);
    return x;
}

void tls_context_unref(struct tls_context *x)
{
    if (x == NULL || atomic_fetch_sub(&x->references, 1) != 1)
        return;
    if (x->credentials != NULL)
        gnutls_certificate_free_credentials(x->credentials);
    if (x->priority != NULL)
        gnutls_priority_deinit(x->priority);
    free(x);
}

/* ---- the current one ---------------------------------------------------- */

void tls_current_init(struct tls_current *c)
{
    pthread_mutex_init(&c->mutex, NULL);
    c->context = NULL;
}

void tls_current_release(struct tls_current *c)
{
    tls_context_unref(c->context);
    pthread_mutex_destroy(&c->mutex);
}

void tls_current_set(struct tls_current *c, struct tls_context *x)
{
    pthread_mutex_lock(&c->mutex);
    struct tls_context *old = c->context;
    c->context = x;
    pthread_mutex_unlock(&c->mutex);
    tls_context_unref(old);
}

struct tls_context *tls_current_get(struct tls_current *c)
{
    pthread_mutex_lock(&c->mutex);
    struct tls_context *x = c->context;
    if (x != NULL)
        tls_context_ref(x);
    pthread_mutex_unlock(&c->mutex);
    return x;
}

/* ---- a session of the context ------------------------------------------- */

bool tls_context_apply(struct tls_context *x, gnutls_session_t session)
{
    if (gnutls_priority_set(session, x->priority) != 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
                               x->credentials) != 0)
        return false;
    gnutls_certificate_server_set_request(session, x->request);
    return true;
}
