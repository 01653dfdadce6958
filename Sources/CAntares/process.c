#include "antares_process.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int ant_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int ant_pidfd_send_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int ant_pidfd_getfd(int pidfd, int fd)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

int ant_reap(int pidfd, int *code, int *killed_by)
{
	siginfo_t info;
	memset(&info, 0, sizeof info);
	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0)
		return -1;
	if (info.si_pid == 0)
		return 0;
	*code = info.si_code == CLD_EXITED ? info.si_status : 0;
	*killed_by = info.si_code == CLD_EXITED ? 0 : info.si_status;
	return 1;
}

int ant_is_stopped(int pidfd)
{
	siginfo_t info;
	memset(&info, 0, sizeof info);
	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WSTOPPED | WNOHANG | WNOWAIT | __WALL) < 0)
		return -1;
	return info.si_pid != 0;
}

int ant_set_thread_name(const char *name)
{
	return prctl(PR_SET_NAME, name, 0, 0, 0);
}

pid_t ant_thread_id(void)
{
	return gettid();
}

int ant_set_slice(uint64_t nanoseconds)
{
	// struct sched_attr of include/uapi/linux/sched/types.h, which the C library does not have.
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attributes;
	if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) < 0)
		return -1;
	attributes.runtime = nanoseconds;
	return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

const char *ant_strerror(int error, char *buffer, size_t size)
{
	return strerror_r(error, buffer, size);
}

int ant_mlock(const void *address, size_t length)
{
	return mlock(address, length);
}
