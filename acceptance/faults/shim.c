/*
 * Faults between a program and its file system, for an unmodified binary: preload this and every call of libc that
 * changes something below a folder is counted, and can be recorded, answered with an error, or be the last one.
 *
 *   LONGSHORE_FAULTS_ROOT     the folder; absolute, without symbolic links
 *   LONGSHORE_FAULTS_CONTROL  a file with the orders (struct control), shared and read before every call, so that a
 *                             test can change them while the program runs
 *   LONGSHORE_FAULTS_BOOT     a file that is read instead of the kernel's boot id; for a start after the power was cut
 *   LONGSHORE_FAULTS_CLOCK    seconds by which the clock of the day is ahead, for what happens after days
 *   LONGSHORE_FAULTS_TRACE    where to append one record for each call (struct record); none when unset
 *
 * Calls are made one at a time and a record is written before its call returns: the order of the records is the order
 * of the effects, and whatever the program has answered to anybody is based on calls that are in the trace by then.
 *
 * What bypasses libc (io_uring, raw system calls, stores through a shared mapping) is not seen. SQLite's -shm file is
 * such a mapping; it is an index that is built anew after a crash, so it has no records. For everything else a test
 * compares the folder with a replay of the whole trace, which fails as soon as one change was not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a call does. Keep in step with `Kind` in trace.rs. */
enum kind {
    OPEN = 1, CREATE, WRITE, TRUNCATE, ALLOCATE, SYNC, RENAME, LINK, UNLINK, MKDIR, RMDIR
};

/* Keep in step with `Order` in control.rs. */
enum order { NOTHING = 0, KILL_BEFORE, KILL_AFTER, KILL_HALF_WAY, FAIL };

struct control {
    uint64_t count; /* calls so far */
    uint64_t order;
    uint64_t from; /* the first call that the order is about; a kill is about this one only */
    uint64_t to;   /* the last one */
    uint64_t error;
    uint64_t kinds; /* bit k: calls of kind k fail */
    uint64_t hits;  /* calls that failed by order */
};

/* Keep in step with `Record` in trace.rs. Followed by both paths and the data. */
struct record {
    uint32_t magic, kind;
    uint64_t number, inode, offset, length;
    uint32_t failed, from_bytes, to_bytes, data_bytes;
};

#define MAGIC 0x3146534cu
#define MAX_INODES 65536

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char root[PATH_MAX];
static size_t root_bytes;
static struct control nobody, *control = &nobody;
static int trace = -1;
/* Inodes of the folder that were opened, and whether they are recorded; a set with open addressing. */
static struct { dev_t device; ino_t inode; int is_recorded; } known[MAX_INODES];

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fallocate)(int, int, off64_t, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_renameat2)(int, const char *, int, const char *, unsigned);
static int (*real_linkat)(int, const char *, int, const char *, int);
static int (*real_unlinkat)(int, const char *, int);
static int (*real_mkdirat)(int, const char *, mode_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);

static void die(const char *what) {
    dprintf(2, "faults: %s: %s\n", what, strerror(errno));
    _exit(97);
}

static void set_up(void) {
#define REAL(name, symbol) *(void **)&real_##name = dlsym(RTLD_NEXT, symbol)
    REAL(open, "open64");
    REAL(openat, "openat64");
    REAL(write, "write");
    REAL(writev, "writev");
    REAL(pwrite, "pwrite64");
    REAL(ftruncate, "ftruncate64");
    REAL(fallocate, "fallocate64");
    REAL(fsync, "fsync");
    REAL(fdatasync, "fdatasync");
    REAL(renameat2, "renameat2");
    REAL(linkat, "linkat");
    REAL(unlinkat, "unlinkat");
    REAL(mkdirat, "mkdirat");
    const char *folder = getenv("LONGSHORE_FAULTS_ROOT");
    const char *orders = getenv("LONGSHORE_FAULTS_CONTROL");
    const char *records = getenv("LONGSHORE_FAULTS_TRACE");
    if (!folder || !orders) return;
    root_bytes = strlen(folder);
    if (root_bytes >= sizeof root) die("the root's name");
    memcpy(root, folder, root_bytes + 1);
    int file = real_open(orders, O_RDWR | O_CLOEXEC);
    if (file < 0) die(orders);
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared == MAP_FAILED) die("mmap of the orders");
    close(file);
    control = shared;
    if (records && (trace = real_open(records, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0) die(records);
}

static void enter(void) {
    pthread_once(&once, set_up);
    pthread_mutex_lock(&lock);
}

/* errno must be the call's own, whatever came after it. */
static long leave(long result, int error) {
    pthread_mutex_unlock(&lock);
    if (error) errno = error;
    return result;
}

/* Puts the absolute path together; the path below the root, or NULL when it lies elsewhere. */
static const char *below(int folder, const char *path, char *buffer) {
    size_t bytes = 0;
    pthread_once(&once, set_up);
    if (!root_bytes || !path) return NULL;
    if (path[0] != '/') {
        char link[64];
        if (folder == AT_FDCWD) {
            if (!getcwd(buffer, PATH_MAX)) return NULL;
            bytes = strlen(buffer);
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, buffer, PATH_MAX - 1);
            if (length < 0) return NULL;
            bytes = (size_t)length;
        }
        buffer[bytes++] = '/';
    }
    if (bytes + strlen(path) >= PATH_MAX) return NULL;
    strcpy(buffer + bytes, path);
    if (strncmp(buffer, root, root_bytes)) return NULL;
    if (buffer[root_bytes] == 0) return buffer + root_bytes;
    return buffer[root_bytes] == '/' ? buffer + root_bytes + 1 : NULL;
}

static size_t slot_of(const struct stat *status) {
    size_t slot = (status->st_ino * 0x9e3779b97f4a7c15u >> 32) % MAX_INODES;
    for (size_t tries = 0; tries < MAX_INODES; tries++, slot = (slot + 1) % MAX_INODES) {
        if (!known[slot].inode) return slot;
        if (known[slot].inode == status->st_ino && known[slot].device == status->st_dev) return slot;
    }
    die("too many inodes");
    return 0;
}

static void remember(const struct stat *status, const char *path) {
    size_t slot = slot_of(status), bytes = strlen(path);
    known[slot].device = status->st_dev;
    known[slot].inode = status->st_ino;
    known[slot].is_recorded = bytes < 4 || strcmp(path + bytes - 4, "-shm");
}

/* Whether a descriptor leads into the folder. */
static int is_ours(int fd, struct stat *status) {
    pthread_once(&once, set_up);
    if (!root_bytes || fstat(fd, status)) return 0;
    if (!S_ISREG(status->st_mode) && !S_ISDIR(status->st_mode)) return 0;
    pthread_mutex_lock(&lock);
    int found = known[slot_of(status)].inode != 0;
    pthread_mutex_unlock(&lock);
    return found;
}

static void die_by_order(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts the next call. The error that it shall have, or 0. */
static int begin(enum kind kind) {
    uint64_t number = ++control->count;
    if (control->order == KILL_BEFORE && number == control->from) die_by_order();
    if (control->order != FAIL || number < control->from || number > control->to) return 0;
    if (!(control->kinds >> kind & 1)) return 0;
    control->hits++;
    return (int)control->error;
}

/* Whether this call is to be done by half, and then is the last one. */
static int dies_half_way(void) { return control->order == KILL_HALF_WAY && control->count == control->from; }

static void append(const void *bytes, size_t length) {
    const char *next = bytes;
    while (length) {
        ssize_t written = real_write(trace, next, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) die("the trace");
        next += written;
        length -= (size_t)written;
    }
}

static void finish(enum kind kind, const struct stat *status, uint64_t offset, uint64_t length, int failed,
                   const char *from, const char *to, const void *data) {
    if (trace >= 0) {
        struct record record = {
            .magic = MAGIC, .kind = kind, .number = control->count, .inode = status ? status->st_ino : 0,
            .offset = offset, .length = length, .failed = (uint32_t)failed,
            .from_bytes = from ? (uint32_t)strlen(from) : 0, .to_bytes = to ? (uint32_t)strlen(to) : 0,
            .data_bytes = data && !failed ? (uint32_t)length : 0,
        };
        int is_recorded = !status || known[slot_of(status)].is_recorded;
        if (!is_recorded) record.inode = record.data_bytes = 0;
        append(&record, sizeof record);
        if (from) append(from, record.from_bytes);
        if (to) append(to, record.to_bytes);
        if (record.data_bytes) append(data, record.data_bytes);
    }
    int is_due = control->order == KILL_AFTER || control->order == KILL_HALF_WAY;
    if (is_due && control->count == control->from) die_by_order();
}

/* --- open --- */

static int open_below(int folder, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *name = below(folder, path, buffer), *boot = getenv("LONGSHORE_FAULTS_BOOT");
    if (boot && path && !strcmp(path, "/proc/sys/kernel/random/boot_id")) path = boot;
    if (!name) return real_openat(folder, path, flags, mode);
    enter();
    struct stat status;
    int changes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
    if (!changes) {
        int fd = real_openat(folder, path, flags, mode), error = errno;
        /* Folders are opened to be synced. */
        if (fd >= 0 && !fstat(fd, &status)) remember(&status, name);
        return (int)leave(fd, fd < 0 ? error : 0);
    }
    int error = begin(flags & O_CREAT ? CREATE : OPEN);
    if (error) {
        finish(OPEN, NULL, 0, 0, error, name, NULL, NULL);
        return (int)leave(-1, error);
    }
    /* Whether the file is new must be known exactly, so what exists is opened without O_CREAT. */
    int is_new = 0, fd;
    do {
        is_new = (flags & O_CREAT) != 0;
        fd = real_openat(folder, path, is_new ? flags | O_EXCL : flags, mode);
        if (fd < 0 && errno == EEXIST && is_new && !(flags & O_EXCL)) {
            is_new = 0;
            fd = real_openat(folder, path, flags & ~O_CREAT, mode);
            if (fd < 0 && errno == ENOENT) continue;
        }
        break;
    } while (1);
    error = fd < 0 ? errno : 0;
    if (fd < 0 || fstat(fd, &status)) {
        finish(OPEN, NULL, 0, 0, error, name, NULL, NULL);
        return (int)leave(fd, error);
    }
    remember(&status, name);
    if (is_new) finish(CREATE, &status, 0, 0, 0, name, NULL, NULL);
    else if (flags & O_TRUNC) finish(TRUNCATE, &status, 0, 0, 0, name, NULL, NULL);
    else finish(OPEN, &status, 0, 0, 0, name, NULL, NULL);
    return (int)leave(fd, 0);
}

#define MODE_OF(flags, mode)                                     \
    mode_t mode = 0;                                             \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                     \
        va_list list;                                            \
        va_start(list, flags);                                   \
        mode = va_arg(list, mode_t);                             \
        va_end(list);                                            \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_below(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_below(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_below(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE_OF(flags, mode)
    return open_below(folder, path, flags | O_LARGEFILE, mode);
}

int creat(const char *path, mode_t mode) { return open_below(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* --- data --- */

static ssize_t write_below(int fd, const struct stat *status, const void *data, size_t length, off64_t offset,
                           int is_positioned) {
    enter();
    int error = begin(WRITE);
    if (!is_positioned) {
        int flags = fcntl(fd, F_GETFL);
        offset = flags & O_APPEND ? lseek64(fd, 0, SEEK_END) : lseek64(fd, 0, SEEK_CUR);
    }
    /* A write that fails may have reached the disk in part: every second one does. */
    int is_halved = dies_half_way() || (error && control->count % 2);
    size_t wanted = is_halved ? length / 2 : length;
    /* Past the page cache only whole blocks are written. */
    if (is_halved && fcntl(fd, F_GETFL) & O_DIRECT) wanted -= wanted % 4096;
    ssize_t written = 0;
    if (!error || is_halved)
        written = is_positioned ? real_pwrite(fd, data, wanted, offset) : real_write(fd, data, wanted);
    int failure = written < 0 ? errno : 0;
    finish(WRITE, status, (uint64_t)offset, written > 0 ? (uint64_t)written : 0, failure, NULL, NULL, data);
    if (error) {
        if (!is_positioned && written > 0) lseek64(fd, offset, SEEK_SET);
        return leave(-1, error);
    }
    return leave(written, failure);
}

ssize_t write(int fd, const void *data, size_t length) {
    struct stat status;
    if (!is_ours(fd, &status)) return real_write(fd, data, length);
    return write_below(fd, &status, data, length, 0, 0);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    struct stat status;
    if (!is_ours(fd, &status)) return real_pwrite(fd, data, length, offset);
    return write_below(fd, &status, data, length, offset, 1);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

/* Several pieces are several writes: the kernel promises no more about them. */
static ssize_t write_pieces(int fd, const struct stat *status, const struct iovec *pieces, int count, off64_t offset,
                            int is_positioned) {
    ssize_t total = 0;
    for (int index = 0; index < count; index++) {
        if (!pieces[index].iov_len) continue;
        ssize_t written =
            write_below(fd, status, pieces[index].iov_base, pieces[index].iov_len, offset + total, is_positioned);
        if (written < 0) return total ? total : written;
        total += written;
        if ((size_t)written < pieces[index].iov_len) break;
    }
    return total;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    struct stat status;
    if (!is_ours(fd, &status)) return real_writev(fd, pieces, count);
    return write_pieces(fd, &status, pieces, count, 0, 0);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) {
    struct stat status;
    if (!is_ours(fd, &status)) return syscall(SYS_pwritev, fd, pieces, count, offset, 0);
    return write_pieces(fd, &status, pieces, count, offset, 1);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    return pwritev64(fd, pieces, count, offset);
}

ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) {
    struct stat status;
    if (!is_ours(fd, &status)) return syscall(SYS_pwritev2, fd, pieces, count, offset, 0, flags);
    return write_pieces(fd, &status, pieces, count, offset, 1);
}

ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) {
    return pwritev64v2(fd, pieces, count, offset, flags);
}

int ftruncate64(int fd, off64_t length) {
    struct stat status;
    if (!is_ours(fd, &status)) return real_ftruncate(fd, length);
    enter();
    int error = begin(TRUNCATE);
    int result = error ? -1 : real_ftruncate(fd, length);
    if (!error && result) error = errno;
    finish(TRUNCATE, &status, 0, (uint64_t)length, error, NULL, NULL, NULL);
    return (int)leave(result, error);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    struct stat status;
    if (!is_ours(fd, &status)) return real_fallocate(fd, mode, offset, length);
    enter();
    int error = begin(ALLOCATE);
    int result = error ? -1 : real_fallocate(fd, mode, offset, length);
    if (!error && result) error = errno;
    /* Only what changes the content has a length here. */
    int extends = !(mode & FALLOC_FL_KEEP_SIZE);
    if (mode & ~FALLOC_FL_KEEP_SIZE) die("fallocate in a mode that the replay does not know");
    finish(ALLOCATE, &status, (uint64_t)offset, extends ? (uint64_t)length : 0, error, NULL, NULL, NULL);
    return (int)leave(result, error);
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }
int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return fallocate64(fd, 0, offset, length) ? errno : 0;
}
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

/* --- sync --- */

static int sync_below(int fd, const struct stat *status, int (*real)(int)) {
    enter();
    int error = begin(SYNC);
    int result = error ? -1 : real(fd);
    if (!error && result) error = errno;
    finish(SYNC, status, 0, 0, error, NULL, NULL, NULL);
    return (int)leave(result, error);
}

int fsync(int fd) {
    struct stat status;
    return is_ours(fd, &status) ? sync_below(fd, &status, real_fsync) : real_fsync(fd);
}

int fdatasync(int fd) {
    struct stat status;
    return is_ours(fd, &status) ? sync_below(fd, &status, real_fdatasync) : real_fdatasync(fd);
}

/* --- names --- */

static int rename_below(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    char buffers[2][PATH_MAX];
    const char *old = below(from_folder, from, buffers[0]), *new = below(to_folder, to, buffers[1]);
    if (!old && !new) return real_renameat2(from_folder, from, to_folder, to, flags);
    if (!old || !new) die("a rename out of the folder or into it");
    enter();
    int error = begin(RENAME);
    int result = error ? -1 : real_renameat2(from_folder, from, to_folder, to, flags);
    if (!error && result) error = errno;
    finish(RENAME, NULL, 0, 0, error, old, new, NULL);
    return (int)leave(result, error);
}

int rename(const char *from, const char *to) { return rename_below(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return rename_below(from_folder, from, to_folder, to, 0);
}
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    return rename_below(from_folder, from, to_folder, to, flags);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    char buffers[2][PATH_MAX];
    const char *old = below(from_folder, from, buffers[0]), *new = below(to_folder, to, buffers[1]);
    if (!new) return real_linkat(from_folder, from, to_folder, to, flags);
    if (!old) die("a link into the folder");
    enter();
    int error = begin(LINK);
    int result = error ? -1 : real_linkat(from_folder, from, to_folder, to, flags);
    if (!error && result) error = errno;
    finish(LINK, NULL, 0, 0, error, old, new, NULL);
    return (int)leave(result, error);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *path, int flags) {
    char buffer[PATH_MAX];
    const char *name = below(folder, path, buffer);
    if (!name) return real_unlinkat(folder, path, flags);
    enter();
    enum kind kind = flags & AT_REMOVEDIR ? RMDIR : UNLINK;
    int error = begin(kind);
    int result = error ? -1 : real_unlinkat(folder, path, flags);
    if (!error && result) error = errno;
    finish(kind, NULL, 0, 0, error, name, NULL, NULL);
    return (int)leave(result, error);
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int result = unlink(path);
    return result && errno == EISDIR ? rmdir(path) : result;
}

int mkdirat(int folder, const char *path, mode_t mode) {
    char buffer[PATH_MAX];
    const char *name = below(folder, path, buffer);
    if (!name) return real_mkdirat(folder, path, mode);
    enter();
    struct stat status = {0};
    int error = begin(MKDIR);
    int result = error ? -1 : real_mkdirat(folder, path, mode);
    if (!error && result) error = errno;
    if (!error && !fstatat(folder, path, &status, 0)) remember(&status, name);
    finish(MKDIR, error ? NULL : &status, 0, 0, error, name, NULL, NULL);
    return (int)leave(result, error);
}

int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* --- time --- */

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real_clock_gettime)(clockid_t, struct timespec *);
    static time_t ahead = -1;
    /* Set by the first call, before there are threads; a second one would store the same. */
    if (ahead < 0) {
        const char *text = getenv("LONGSHORE_FAULTS_CLOCK");
        REAL(clock_gettime, "clock_gettime");
        ahead = text ? atol(text) : 0;
    }
    int status = real_clock_gettime(clock, now);
    if (!status && clock == CLOCK_REALTIME) now->tv_sec += ahead;
    return status;
}
