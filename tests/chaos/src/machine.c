/* Loaded into the server and the local Clerk before the C library (LD_PRELOAD): their time of day is the
 * machine's plus an offset, and while the disk is "full" every write to a regular file, and every
 * reservation of room, fails with ENOSPC as the kernel's would. Both come from a file that the test
 * writes and every process maps. Reading goes on, and so do sockets and pipes.
 *
 * A real full file system needs a mount, and a real change of the clock would be everybody's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct faults {
  volatile int64_t offset_ms;
  volatile int64_t disk_is_full;
};

static const struct faults none;
static const struct faults *faults = &none;

__attribute__((constructor)) static void map_faults(void) {
  const char *path = getenv("CHAOS_FAULTS");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(struct faults), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) faults = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = (int)syscall(SYS_clock_gettime, clock, time);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    int64_t offset = faults->offset_ms;
    time->tv_sec += offset / 1000;
    time->tv_nsec += (offset % 1000) * 1000000;
    if (time->tv_nsec >= 1000000000) {
      time->tv_sec += 1;
      time->tv_nsec -= 1000000000;
    }
  }
  return failed;
}

static int has_no_room(int file) {
  struct stat known;
  if (!faults->disk_is_full || fstat(file, &known) || !S_ISREG(known.st_mode)) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t write(int file, const void *bytes, size_t length) {
  return has_no_room(file) ? -1 : syscall(SYS_write, file, bytes, length);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
  return has_no_room(file) ? -1 : syscall(SYS_pwrite64, file, bytes, length, at);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
  return pwrite64(file, bytes, length, at);
}

int posix_fallocate64(int file, off64_t at, off64_t length) {
  if (has_no_room(file)) return ENOSPC;
  return syscall(SYS_fallocate, file, 0, at, length) ? errno : 0;
}

int posix_fallocate(int file, off_t at, off_t length) {
  return posix_fallocate64(file, at, length);
}
