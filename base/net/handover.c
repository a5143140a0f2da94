#include "base/net/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address_list.h"

/* The record says what the descriptor is, and who the client is. */
static const char what[] = "confab mqtt over websocket 2";
struct handover_record {
    char what[sizeof(what)];
    struct in6_addr client; /* ::ffff:a.b.c.d for IPv4 */
    uint16_t port;
};

union handover_control {
    struct cmsghdr header; /* only for its alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

static int connect_to(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(at.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(at.sun_path, path, strlen(path));
    const int s =
        socket(AF_UNIX, HANDOVER_SOCKET_TYPE | SOCK_NONBLOCK | SOCK_CLOEXEC,
               0);
    if (s >= 0 && connect(s, (struct sockaddr *)&at, sizeof(at)) == 0)
        return s;
    const int saved = errno;
    if (s >= 0)
        close(s);
    errno = saved;
    return -1;
}

static struct handover_record record_of(const struct sockaddr_storage *client)
{
    struct handover_record r;

    memset(&r, 0, sizeof(r));
    memcpy(r.what, what, sizeof(what));
    r.client = address_mapped((const struct sockaddr *)client);
    r.port = address_port((const struct sockaddr *)client);
    return r;
}

bool handover_send(const char *path, int fd,
                   const struct sockaddr_storage *client)
{
    struct handover_record record = record_of(client);
    union handover_control control = {0};
    struct iovec text = {&record, sizeof(record)};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    const int s = connect_to(path);

    if (s < 0)
        return false;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    const ssize_t n = sendmsg(s, &message, MSG_NOSIGNAL);
    const int saved = errno;
    close(s); /* the record stays queued for the broker */
    errno = saved;
    return n == (ssize_t)sizeof(record);
}

/* There is room for one descriptor; the kernel closes any more that are
 * sent. */
static int descriptor_of(struct msghdr *message)
{
    int fd = -1;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL;
         h = CMSG_NXTHDR(message, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
            h->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    return fd;
}

int handover_receive(int connection, struct sockaddr_storage *ret_client)
{
    struct {
        struct handover_record record;
        char more;
    } text;
    union handover_control control = {0};
    struct iovec room = {&text, sizeof(text)};
    struct msghdr message = {.msg_iov = &room,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    const ssize_t n =
        recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return -1;
    const int fd = descriptor_of(&message);
    if (fd >= 0 && n == (ssize_t)sizeof(text.record) &&
        memcmp(text.record.what, what, sizeof(what)) == 0 &&
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0) {
        address_to_sockaddr(&text.record.client, text.record.port, ret_client);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    errno = EPROTO;
    return -1;
}
