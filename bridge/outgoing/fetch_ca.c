#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error_text.h"
#include "bridge/outgoing/fetch_private.h"

/* Debian's package ca-certificates; used if libcurl does not name another. */
#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

const char *fetch_ca_system(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    return info->age >= CURLVERSION_SEVENTH && info->cainfo != NULL
               ? info->cainfo
               : SYSTEM_CAS;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, data, len);
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Appends the file `path`, and a line end for files that lack their last. */
static bool append_file(int to, const char *path)
{
    char piece[16384];
    ssize_t n = -1;
    const int from = open(path, O_RDONLY | O_CLOEXEC);

    if (from < 0)
        return false;
    while ((n = read(from, piece, sizeof(piece))) > 0)
        if (!write_all(to, piece, (size_t)n))
            break;
    const int error = errno;
    close(from);
    errno = error;
    return n == 0 && write_all(to, "\n", 1);
}

int fetch_ca_open(const char *ca_file, char *ret_text)
{
    const int fd = memfd_create("confab-ca", MFD_CLOEXEC);

    if (fd < 0 || !append_file(fd, ca_file)) {
        snprintf(ret_text, FETCH_TEXT_MAX, "outgoing.ca_file %.150s: %s",
                 ca_file, error_text(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    /* A system without CAs is fine: then only those of ca_file are trusted. */
    (void)append_file(fd, fetch_ca_system());
    return fd;
}
