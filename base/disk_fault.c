#include "base/disk_fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

/* Everything below runs in a signal handler: only async-signal-safe calls
 * (signal-safety(7)) and no memory but this, which only one thread gets to
 * use. */
static char text[8192];
static bool under_systemd;
static const char *store_dir;

struct mapping {
    uintptr_t begin, end;
    uint64_t offset;
    const char *path; /* in `text` */
};

static const char *parse_hex(const char *at, uint64_t *ret)
{
    uint64_t v = 0;

    for (;; at++) {
        if (*at >= '0' && *at <= '9')
            v = v << 4 | (uint64_t)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            v = v << 4 | (uint64_t)(*at - 'a' + 10);
        else
            break;
    }
    *ret = v;
    return at;
}

static const char *skip_word(const char *at)
{
    while (*at != ' ' && *at != '\0')
        at++;
    while (*at == ' ')
        at++;
    return at;
}

/* A line of /proc/self/maps: `begin-end perms offset device inode   path`. */
static bool parse_mapping(const char *line, struct mapping *ret)
{
    uint64_t begin, end;

    const char *at = parse_hex(line, &begin);
    if (*at != '-')
        return false;
    at = parse_hex(at + 1, &end);
    while (*at == ' ')
        at++;
    at = parse_hex(skip_word(at), &ret->offset);
    while (*at == ' ')
        at++;
    at = skip_word(skip_word(at));
    ret->begin = (uintptr_t)begin;
    ret->end = (uintptr_t)end;
    ret->path = at;
    return *at == '/';
}

static bool find_in(int fd, uintptr_t address, struct mapping *ret)
{
    size_t len = 0;

    for (;;) {
        const ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n > 0)
            len += (size_t)n;
        text[len] = '\0';
        char *line = text, *end;
        while ((end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            if (parse_mapping(line, ret) && address >= ret->begin &&
                address < ret->end)
                return true;
            line = end + 1;
        }
        len -= (size_t)(line - text);
        memmove(text, line, len);
        if (n <= 0 || len == sizeof(text) - 1) /* no path is that long */
            return false;
    }
}

static bool find_mapping(const void *address, struct mapping *ret)
{
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    const bool found = find_in(fd, (uintptr_t)address, ret);
    close(fd);
    return found;
}

static void write_text(const char *what)
{
    if (write(STDERR_FILENO, what, strlen(what)) < 0)
        return; /* stderr is closed or full */
}

static void put_number(uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;

    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    write_text(digits + at);
}

static void put_area(void)
{
    write_text(under_systemd ? "<3>main: " : "error main: ");
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
    struct mapping m;

    (void)context;
    if (!find_mapping(info->si_addr, &m)) {
        signal(signal_number, SIG_DFL); /* raised again when this returns */
        return;
    }
    put_area();
    write_text(m.path);
    write_text(": the page at byte ");
    put_number(m.offset + ((uintptr_t)info->si_addr - m.begin));
    write_text(
        " cannot be read: the disk failed, or the file was cut short or is "
        "damaged. Look for the disk's errors (dmesg), then run 'confab check "
        "--data ");
    write_text(store_dir);
    write_text("'\n");
    disk_fault_end();
}

/* The address of the faulting instruction; NULL: not known on this
 * architecture. */
static const void *faulting_instruction(const void *context)
{
    const ucontext_t *c = context;

#if defined(__x86_64__)
    return (const void *)(uintptr_t)c->uc_mcontext.gregs[REG_RIP];
#elif defined(__i386__)
    return (const void *)(uintptr_t)c->uc_mcontext.gregs[REG_EIP];
#elif defined(__aarch64__)
    return (const void *)(uintptr_t)c->uc_mcontext.pc;
#else
    (void)c;
    return NULL;
#endif
}

static void on_bad_address(int signal_number, siginfo_t *info, void *context)
{
    struct mapping m;

    /* Only once; then with the default action: when this returns, the
     * instruction is executed again, and a signal sent by kill(2) is sent
     * again. */
    signal(signal_number, SIG_DFL);
    const void *at = faulting_instruction(context);
    const bool in_lmdb = at != NULL && find_mapping(at, &m) &&
                         strstr(m.path, "liblmdb") != NULL;
    put_area();
    write_text("SIGSEGV: ");
    if (info->si_code <= 0)
        write_text("another process sent it. If none did, ");
    write_text(store_dir);
    write_text(in_lmdb
                   ? "/data.mdb is damaged, as LMDB went where no memory is. "
                   : "/data.mdb is damaged, or confab has a fault. ");
    write_text("Run 'confab check --data ");
    write_text(store_dir);
    write_text(
        "': if it finds damage, restore a back-up; if not, please report this "
        "with a stack trace (coredumpctl gdb)\n");
    if (info->si_code <= 0)
        raise(signal_number);
}

void disk_fault_catch(const char *data_dir)
{
    struct sigaction action = {.sa_sigaction = on_bus_error};
    struct sigaction before;

    store_dir = data_dir;
    under_systemd = getenv("JOURNAL_STREAM") != NULL;
    sigfillset(&action.sa_mask);
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, NULL);
    if (sigaction(SIGSEGV, NULL, &before) != 0 || before.sa_handler != SIG_DFL)
        return;
    action.sa_sigaction = on_bad_address;
    sigaction(SIGSEGV, &action, NULL);
}

_Noreturn void disk_fault_end(void)
{
    _exit(EXIT_DISK);
}
