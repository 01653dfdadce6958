#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int ant_pidfd_open(pid_t pid);
int ant_pidfd_send_signal(int pidfd, int signal);
/// pidfd_getfd(2): a duplicate of another process's fd.
int ant_pidfd_getfd(int pidfd, int fd);
/// Reaps the child behind `pidfd` without blocking. Returns 1 when it was reaped (code and killed_by filled in), 0 when it
/// still runs, -1 on error (ECHILD: not a child of this process).
int ant_reap(int pidfd, int *code, int *killed_by);
/// Whether the child behind `pidfd` is stopped by a signal: 1, 0, or -1 on error (ECHILD: not a child of this process). Whoever else waits for it
/// is told all the same.
int ant_is_stopped(int pidfd);
int ant_set_thread_name(const char *name);
pid_t ant_thread_id(void);
/// sched_setattr(2) for the calling thread: the slice of processor time it asks for at once, in nanoseconds; all else stays. ENOSYS, EPERM or
/// EINVAL where the kernel has no such thing.
int ant_set_slice(uint64_t nanoseconds);
/// The GNU strerror_r(3), which always answers a text.
const char *ant_strerror(int error, char *buffer, size_t size);
int ant_mlock(const void *address, size_t length);
