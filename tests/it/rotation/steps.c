/* Loaded before the C library (LD_PRELOAD): counts the calls by which a program reads and changes files of one
 * folder, in the order of the whole process, and kills it at a chosen one.
 *
 *   STEPS_FOLDER   the folder
 *   STEPS_LOG      each call is added to this file: its name and that of the file
 *   STEPS_KILL_AT  before this call, counted from 1, the process is killed by SIGKILL
 *
 * A write is two calls, each of one half, so that a process is killed between them, too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static atomic_int steps;

/* Returns whether the path is one of the folder's. */
static int step(const char *call, const char *path) {
    const char *folder = getenv("STEPS_FOLDER"), *log = getenv("STEPS_LOG"), *at = getenv("STEPS_KILL_AT");
    if (!folder || !path || strncmp(path, folder, strlen(folder)) != 0) return 0;
    const char *name = path + strlen(folder);
    if (*name != '\0' && *name != '/') return 0;
    int number = atomic_fetch_add(&steps, 1) + 1;
    int fd = log ? REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) {
        char line[PATH_MAX + 32];
        int length = snprintf(line, sizeof line, "%s %s\n", call, *name ? name + 1 : ".");
        if (REAL(write)(fd, line, (size_t)length) < 0) abort();
        REAL(close)(fd);
    }
    if (at && atoi(at) == number) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    return 1;
}

static int step_of(const char *call, int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return step(call, path);
}

static int open_file(__typeof__(&open) real, const char *path, int flags, mode_t mode) {
    step(flags & O_CREAT ? "create" : "open", path);
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(REAL(open64), path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    size_t half = length / 2;
    if (!step_of("write", fd) || half == 0) return REAL(write)(fd, bytes, length);
    ssize_t first = REAL(write)(fd, bytes, half);
    if (first != (ssize_t)half) return first;
    step_of("write the rest of", fd);
    ssize_t rest = REAL(write)(fd, (const char *)bytes + half, length - half);
    return rest < 0 ? first : first + rest;
}

int ftruncate64(int fd, off64_t length) {
    step_of("truncate", fd);
    return REAL(ftruncate64)(fd, length);
}

int fchmod(int fd, mode_t mode) {
    step_of("chmod", fd);
    return REAL(fchmod)(fd, mode);
}

int fsync(int fd) {
    step_of("fsync", fd);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    step_of("fdatasync", fd);
    return REAL(fdatasync)(fd);
}

int rename(const char *from, const char *to) {
    step("rename", from);
    return REAL(rename)(from, to);
}

int unlink(const char *path) {
    step("unlink", path);
    return REAL(unlink)(path);
}
