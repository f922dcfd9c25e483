/* Preloaded into a command: counts what it changes below one folder, and kills it there, or fills
   the disk, at a chosen change. No clock is involved, so the same number is the same moment again.

   FAULT_FOLDER   whose changes count: files made, written, renamed, removed, folders made.
   FAULT_CONTROL  a file of three 64-bit integers that all processes of a command share:
                  [0] changes so far
                  [1] at which one it happens; 0 is never
                  [2] what: 0 the processes are killed, of a write half is done before;
                      1 the disk is full from then on
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile long *control;
static char folder[4096];
static size_t length;

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("FAULT_CONTROL"), *top = getenv("FAULT_FOLDER");
  if (!path || !top) return;
  int handle = open(path, O_RDWR);
  if (handle < 0) return;
  void *found = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
  close(handle);
  if (found == MAP_FAILED) return;
  length = strlen(top);
  if (length >= sizeof folder) return;
  strcpy(folder, top);
  control = found;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static int below(const char *path) {
  return path && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int counts(int at, const char *path) {
  char whole[8192];
  if (!control || !path) return 0;
  if (path[0] == '/') return below(path);
  if (at == AT_FDCWD) {
    if (!getcwd(whole, 4096)) return 0;
  } else {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t size = readlink(link, whole, 4095);
    if (size < 0) return 0;
    whole[size] = 0;
  }
  strcat(whole, "/");
  strncat(whole, path, 4000);
  return below(whole);
}

static int counts_open(int handle) {
  char link[64], path[4096];
  if (!control || handle < 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return below(path);
}

/* 0: go on; 1: do half, then `die`; 2: the disk is full. */
static int fate(void) {
  long number = __sync_add_and_fetch(&control[0], 1), chosen = control[1];
  if (!chosen || number < chosen) return 0;
  if (control[2]) return 2;
  return number == chosen;
}

static void die(void) {
  /* The one that was started first, as a user or the system's want of memory would kill it. */
  kill(getpgid(0), SIGKILL);
  kill(getpid(), SIGKILL);
}

#define FULL(kind, needs_room)                \
  do {                                        \
    int what = fate();                        \
    if (what == 1) die();                     \
    if (what == 2 && (needs_room)) {          \
      errno = ENOSPC;                         \
      return (kind)-1;                        \
    }                                         \
  } while (0)

ssize_t write(int handle, const void *content, size_t size) {
  ssize_t (*real)(int, const void *, size_t) = next("write");
  if (counts_open(handle)) {
    int what = fate();
    if (what == 1) {
      real(handle, content, size / 2);
      die();
    }
    if (what == 2) {
      errno = ENOSPC;
      return -1;
    }
  }
  return real(handle, content, size);
}

static ssize_t at_place(const char *name, int handle, const void *content, size_t size, off_t at) {
  ssize_t (*real)(int, const void *, size_t, off_t) = next(name);
  if (counts_open(handle)) {
    int what = fate();
    if (what == 1) {
      real(handle, content, size / 2, at);
      die();
    }
    if (what == 2) {
      errno = ENOSPC;
      return -1;
    }
  }
  return real(handle, content, size, at);
}

ssize_t pwrite(int handle, const void *content, size_t size, off_t at) {
  return at_place("pwrite", handle, content, size, at);
}

ssize_t pwrite64(int handle, const void *content, size_t size, off_t at) {
  return at_place("pwrite64", handle, content, size, at);
}

ssize_t writev(int handle, const struct iovec *parts, int count) {
  ssize_t (*real)(int, const struct iovec *, int) = next("writev");
  if (counts_open(handle)) FULL(ssize_t, 1);
  return real(handle, parts, count);
}

size_t fwrite(const void *content, size_t size, size_t count, FILE *stream) {
  size_t (*real)(const void *, size_t, size_t, FILE *) = next("fwrite");
  if (control && counts_open(fileno(stream))) {
    int what = fate();
    if (what == 1) {
      real(content, size, count / 2, stream);
      fflush(stream);
      die();
    }
    if (what == 2) {
      errno = ENOSPC;
      return 0;
    }
  }
  return real(content, size, count, stream);
}

static int opening(const char *name, int at, const char *path, int flags, mode_t mode) {
  int (*real)(int, const char *, int, mode_t) = next(name);
  if ((flags & O_CREAT) && counts(at, path) && faccessat(at, path, F_OK, 0)) FULL(int, 1);
  return real(at, path, flags, mode);
}

#define OPEN(name, real)                                  \
  int name(const char *path, int flags, ...) {            \
    mode_t mode = 0;                                      \
    if (flags & O_CREAT) {                                \
      va_list given;                                      \
      va_start(given, flags);                             \
      mode = va_arg(given, mode_t);                       \
      va_end(given);                                      \
    }                                                     \
    return opening(real, AT_FDCWD, path, flags, mode);    \
  }
OPEN(open, "openat")
OPEN(open64, "openat64")

static FILE *streaming(const char *name, const char *path, const char *mode) {
  FILE *(*real)(const char *, const char *) = next(name);
  if (mode[0] != 'r' && counts(AT_FDCWD, path)) {
    int what = fate();
    if (what == 1) die();
    if (what == 2 && access(path, F_OK)) {
      errno = ENOSPC;
      return NULL;
    }
  }
  return real(path, mode);
}

FILE *fopen(const char *path, const char *mode) { return streaming("fopen", path, mode); }
FILE *fopen64(const char *path, const char *mode) { return streaming("fopen64", path, mode); }

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = next("rename");
  if (counts(AT_FDCWD, to)) FULL(int, 0);
  return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
  int (*real)(const char *, mode_t) = next("mkdir");
  if (counts(AT_FDCWD, path)) FULL(int, 1);
  return real(path, mode);
}

int unlink(const char *path) {
  int (*real)(const char *) = next("unlink");
  if (counts(AT_FDCWD, path)) FULL(int, 0);
  return real(path);
}

int unlinkat(int at, const char *path, int flags) {
  int (*real)(int, const char *, int) = next("unlinkat");
  if (counts(at, path)) FULL(int, 0);
  return real(at, path, flags);
}

int rmdir(const char *path) {
  int (*real)(const char *) = next("rmdir");
  if (counts(AT_FDCWD, path)) FULL(int, 0);
  return real(path);
}

int ftruncate64(int handle, off_t size) {
  int (*real)(int, off_t) = next("ftruncate64");
  if (counts_open(handle)) FULL(int, 0);
  return real(handle, size);
}
