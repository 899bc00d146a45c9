/* Stands between a process and the system: every call that changes what lies below one folder is counted, and can be
   refused, cut short, delayed, written to a log, or be the last thing the process does.

   Loaded with LD_PRELOAD, so that it sees SQLCipher's calls like Python's. Controlled from Python (shim.py) by the
   functions shim_*; does nothing until they are called or SHIM_FOLDER names a folder. One thread is assumed. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { NONE, CRASH, TORN, EIO_ONCE, ENOSPC_ONCE, EACCES_ONCE, SHORT, FULL, GONE };
enum { MOST_HANDLES = 4096, PATH_BYTES = 1024 };

typedef struct { char path[PATH_BYTES]; long handle; int is_known; } Opened;

static Opened opened[MOST_HANDLES];
static char folder[PATH_BYTES];
static char struck[2 * PATH_BYTES];
static long calls, strike_at, handles;
static int kind, log_fd = -1, latency_us, is_lying_about_locks, is_set_up;

#define REAL(name) \
    static __typeof__(name) *real_##name; \
    if (!real_##name) real_##name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void set_up(void) {
    if (is_set_up) return;
    is_set_up = 1;
    const char *named = getenv("SHIM_FOLDER"), *latency = getenv("SHIM_LATENCY_US");
    if (named) snprintf(folder, sizeof folder, "%s", named);
    if (latency) latency_us = atoi(latency);
    is_lying_about_locks = getenv("SHIM_NO_LOCKS") != NULL;
}

static int is_below(const char *path) {
    size_t length = strlen(folder);
    return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static void path_of(int at, const char *name, char *out) {
    if (name[0] == '/') { snprintf(out, PATH_BYTES, "%s", name); return; }
    char link[64], base[PATH_BYTES / 2];
    if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t length = readlink(link, base, sizeof base - 1);
    base[length < 0 ? 0 : length] = 0;
    snprintf(out, PATH_BYTES, "%s/%.500s", base, name);
}

static void delay(void) {
    if (!latency_us) return;
    struct timespec wait = {latency_us / 1000000, (latency_us % 1000000) * 1000L};
    nanosleep(&wait, NULL);
}

static void put(const void *data, size_t bytes) {
    REAL(write);
    const char *next = data;
    while (bytes) {
        ssize_t done = real_write(log_fd, next, bytes);
        if (done <= 0) _exit(98);
        next += done;
        bytes -= (size_t)done;
    }
}

/* One record of the log: a line of numbers, then both paths and the data. */
static void note(const char *op, long handle, const char *path, const char *other, int64_t offset, const void *data,
                 size_t bytes) {
    if (log_fd < 0) return;
    char head[128];
    int length = snprintf(head, sizeof head, "%s %ld %lld %zu %zu %zu\n", op, handle, (long long)offset, strlen(path),
                          strlen(other), bytes);
    put(head, (size_t)length);
    put(path, strlen(path));
    put(other, strlen(other));
    put(data, bytes);
}

/* Count a call; 0: let it through, 1: it failed (errno is set), 2: write the first half only. */
static int judge(const char *op, const char *path, int is_write) {
    delay();
    calls++;
    int is_struck = strike_at && calls == strike_at, is_after = strike_at && calls > strike_at;
    if (is_struck) snprintf(struck, sizeof struck, "%s %s", op, path);
    if (is_struck && kind == CRASH) kill(getpid(), SIGKILL);
    if (is_struck && (kind == EIO_ONCE || kind == GONE)) { errno = EIO; return 1; }
    if (is_struck && kind == ENOSPC_ONCE) { errno = ENOSPC; return 1; }
    if (is_struck && kind == EACCES_ONCE) { errno = EACCES; return 1; }
    if (is_struck && (kind == SHORT || kind == TORN || kind == FULL) && is_write) return 2;
    if (is_after && kind == GONE) { errno = EIO; return 1; }
    if (is_after && kind == FULL && is_write) { errno = ENOSPC; return 1; }
    return 0;
}

void shim_arm(const char *below, long point, int what) {
    snprintf(folder, sizeof folder, "%s", below);
    calls = 0; strike_at = point; kind = what; struck[0] = 0;
}
long shim_disarm(void) { strike_at = 0; kind = NONE; return calls; }
const char *shim_struck(void) { return struck; }
void shim_log(const char *below, int fd) { snprintf(folder, sizeof folder, "%s", below); log_fd = fd; }
void shim_mark(const char *text) { note("mark", 0, text, "", 0, "", 0); }

static int track(int fd, const char *path, const char *op, int flags) {
    if (fd < 0 || fd >= MOST_HANDLES) return fd;
    snprintf(opened[fd].path, PATH_BYTES, "%s", path);
    opened[fd].handle = ++handles;
    opened[fd].is_known = 1;
    note(op, opened[fd].handle, path, "", flags & O_TRUNC ? 1 : 0, "", 0);
    return fd;
}

static int known(int fd) { return fd >= 0 && fd < MOST_HANDLES && opened[fd].is_known; }

static int opening(int at, const char *name, int flags, mode_t mode, int is_relative) {
    REAL(open64);
    REAL(openat64);
    set_up();
    char path[PATH_BYTES];
    path_of(is_relative ? at : AT_FDCWD, name, path);
    if (!is_below(path)) return is_relative ? real_openat64(at, name, flags, mode) : real_open64(name, flags, mode);
    int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    if (judge(is_new ? "create" : "open", path, 0)) return -1;
    int fd = is_relative ? real_openat64(at, name, flags, mode) : real_open64(name, flags, mode);
    return track(fd, path, is_new ? "create" : "open", flags);
}

#define WITH_MODE mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *name, int flags, ...) { WITH_MODE return opening(AT_FDCWD, name, flags, mode, 0); }
int open64(const char *name, int flags, ...) { WITH_MODE return opening(AT_FDCWD, name, flags, mode, 0); }
int openat(int at, const char *name, int flags, ...) { WITH_MODE return opening(at, name, flags, mode, 1); }
int openat64(int at, const char *name, int flags, ...) { WITH_MODE return opening(at, name, flags, mode, 1); }

int close(int fd) {
    REAL(close);
    if (!known(fd)) return real_close(fd);
    int failed = judge("close", opened[fd].path, 0), cause = errno;
    opened[fd].is_known = 0;
    int done = real_close(fd);
    if (failed) { errno = cause; return -1; }
    return done;
}

static ssize_t writing(int fd, const void *data, size_t bytes, int64_t offset, int is_placed) {
    REAL(write);
    REAL(pwrite64);
    size_t allowed = bytes;
    if (known(fd)) {
        int verdict = judge("write", opened[fd].path, 1);
        if (verdict == 1) return -1;
        if (verdict == 2) allowed = bytes > 1 ? bytes / 2 : bytes;
    }
    int64_t place = is_placed ? offset : lseek(fd, 0, SEEK_CUR);
    if (known(fd) && !is_placed && (fcntl(fd, F_GETFL) & O_APPEND)) place = lseek(fd, 0, SEEK_END);
    ssize_t done = is_placed ? real_pwrite64(fd, data, allowed, offset) : real_write(fd, data, allowed);
    if (known(fd) && done > 0) {
        note("write", opened[fd].handle, opened[fd].path, "", place, data, (size_t)done);
        if (allowed < bytes && kind == TORN) kill(getpid(), SIGKILL);
    }
    return done;
}

ssize_t write(int fd, const void *data, size_t bytes) {
    REAL(write);
    return known(fd) ? writing(fd, data, bytes, 0, 0) : real_write(fd, data, bytes);
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) { return writing(fd, data, bytes, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at) { return writing(fd, data, bytes, at, 1); }

int ftruncate(int fd, off_t bytes) {
    REAL(ftruncate64);
    if (known(fd) && judge("truncate", opened[fd].path, 0)) return -1;
    int done = real_ftruncate64(fd, bytes);
    if (known(fd) && !done) note("truncate", opened[fd].handle, opened[fd].path, "", bytes, "", 0);
    return done;
}
int ftruncate64(int fd, off64_t bytes) { return ftruncate(fd, bytes); }

static int syncing(int fd, int is_data_only) {
    REAL(fsync);
    REAL(fdatasync);
    if (known(fd) && judge("sync", opened[fd].path, 0)) return -1;
    int done = is_data_only ? real_fdatasync(fd) : real_fsync(fd);
    if (known(fd) && !done) note("sync", opened[fd].handle, opened[fd].path, "", 0, "", 0);
    return done;
}
int fsync(int fd) { return syncing(fd, 0); }
int fdatasync(int fd) { return syncing(fd, 1); }

#define PAIR(op, call) \
    char from[PATH_BYTES], to[PATH_BYTES]; \
    set_up(); \
    path_of(at, old, from); path_of(other, new, to); \
    int is_ours = is_below(from) || is_below(to); \
    if (is_ours && judge(op, to, 0)) return -1; \
    int done = call; \
    if (is_ours && !done) note(op, 0, from, to, 0, "", 0); \
    return done;

int rename(const char *old, const char *new) {
    REAL(rename);
    int at = AT_FDCWD, other = AT_FDCWD;
    PAIR("rename", real_rename(old, new))
}
int renameat(int at, const char *old, int other, const char *new) {
    REAL(renameat);
    PAIR("rename", real_renameat(at, old, other, new))
}
int link(const char *old, const char *new) {
    REAL(link);
    int at = AT_FDCWD, other = AT_FDCWD;
    PAIR("link", real_link(old, new))
}
int linkat(int at, const char *old, int other, const char *new, int flags) {
    REAL(linkat);
    PAIR("link", real_linkat(at, old, other, new, flags))
}

#define SINGLE(op, call) \
    char path[PATH_BYTES]; \
    set_up(); \
    path_of(at, name, path); \
    int is_ours = is_below(path); \
    if (is_ours && judge(op, path, 0)) return -1; \
    int done = call; \
    if (is_ours && !done) note(op, 0, path, "", 0, "", 0); \
    return done;

int unlink(const char *name) { REAL(unlink); int at = AT_FDCWD; SINGLE("unlink", real_unlink(name)) }
int unlinkat(int at, const char *name, int flags) {
    REAL(unlinkat);
    SINGLE(flags & AT_REMOVEDIR ? "rmdir" : "unlink", real_unlinkat(at, name, flags))
}
int rmdir(const char *name) { REAL(rmdir); int at = AT_FDCWD; SINGLE("rmdir", real_rmdir(name)) }
int mkdir(const char *name, mode_t mode) { REAL(mkdir); int at = AT_FDCWD; SINGLE("mkdir", real_mkdir(name, mode)) }
int mkdirat(int at, const char *name, mode_t mode) { REAL(mkdirat); SINGLE("mkdir", real_mkdirat(at, name, mode)) }
int chmod(const char *name, mode_t mode) { REAL(chmod); int at = AT_FDCWD; SINGLE("chmod", real_chmod(name, mode)) }
int fchmodat(int at, const char *name, mode_t mode, int flags) {
    REAL(fchmodat);
    SINGLE("chmod", real_fchmodat(at, name, mode, flags))
}
int utimensat(int at, const char *name, const struct timespec times[2], int flags) {
    REAL(utimensat);
    SINGLE("utime", real_utimensat(at, name, times, flags))
}

static int controlling(int fd, int command, void *argument) {
    REAL(fcntl);
    set_up();
    if (known(fd) && (command == F_SETLK || command == F_SETLKW)) {
        delay();
        if (is_lying_about_locks) return 0;
    }
    return real_fcntl(fd, command, argument);
}
int fcntl(int fd, int command, ...) {
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest);
    return controlling(fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest);
    return controlling(fd, command, argument);
}
int flock(int fd, int operation) {
    REAL(flock);
    set_up();
    if (known(fd)) {
        delay();
        if (is_lying_about_locks) return 0;
    }
    return real_flock(fd, operation);
}
