#include "base/net/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* The whole record says what the descriptor is. The client's address need not
 * be sent: it can be read from the descriptor. */
static const char record[] = "confab mqtt over websocket 1";

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

bool handover_send(const char *path, int fd)
{
    union handover_control control = {0};
    struct iovec text = {(char *)record, sizeof(record)};
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

int handover_receive(int connection)
{
    char text[sizeof(record) + 1];
    union handover_control control = {0};
    struct iovec room = {text, sizeof(text)};
    struct msghdr message = {.msg_iov = &room,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    const ssize_t n =
        recvmsg(connection, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return -1;
    const int fd = descriptor_of(&message);
    if (fd >= 0 && n == (ssize_t)sizeof(record) &&
        memcmp(text, record, sizeof(record)) == 0 &&
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    errno = EPROTO;
    return -1;
}
