// The filters are allow-lists. The kernel remembers which numbers they always let through, so the order of the lists costs nothing
// (seccomp_cache_check_allow).
#include "antares_harden.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "no seccomp filter for this architecture"
#endif

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static const uint16_t both[] = {
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_lseek, SYS_close, SYS_close_range, SYS_fcntl, SYS_dup, SYS_dup3,
	SYS_fstat, SYS_recvmsg, SYS_sendmsg, SYS_accept4, SYS_getsockopt, SYS_shutdown,
	SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_eventfd2, SYS_timerfd_create, SYS_timerfd_settime,
	SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mlock, SYS_mlock2, SYS_munlock,
	SYS_futex, SYS_set_robust_list, SYS_set_tid_address, SYS_rseq, SYS_membarrier, SYS_sched_yield, SYS_sched_getaffinity,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall,
	SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
	SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getrandom, SYS_prlimit64, SYS_exit, SYS_exit_group,
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
};

static const uint16_t owner[] = {
	SYS_openat, SYS_openat2, SYS_newfstatat, SYS_statx, SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_getcwd,
	SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_linkat, SYS_mkdirat, SYS_fchmod, SYS_fchmodat, SYS_fchmodat2, SYS_utimensat,
	SYS_umask, SYS_pwrite64, SYS_pwritev, SYS_preadv, SYS_ftruncate, SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_sync_file_range,
	SYS_flock, SYS_statfs, SYS_fstatfs, SYS_memfd_create, SYS_cachestat, SYS_copy_file_range, SYS_sendfile, SYS_fadvise64,
	SYS_readahead, SYS_msync, SYS_mincore,
	SYS_connect, SYS_bind, SYS_listen, SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_sendto, SYS_recvfrom, SYS_sendmmsg,
	SYS_recvmmsg, SYS_socketpair, SYS_pipe2, SYS_pselect6,
	SYS_signalfd4, SYS_setpriority, SYS_getpriority, SYS_ioprio_set, SYS_ioprio_get, SYS_sched_setscheduler, SYS_sched_getscheduler,
	SYS_sched_setattr, SYS_sched_getattr, SYS_sched_getparam, SYS_uname, SYS_sysinfo, SYS_getrusage,
	// Name resolution loads its modules.
	SYS_mmap, SYS_mprotect,
#ifdef SYS_open
	SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_unlink, SYS_rmdir, SYS_rename, SYS_link, SYS_mkdir, SYS_chmod,
	SYS_select, SYS_pipe,
#endif
};

enum { ALLOW = SECCOMP_RET_ALLOW, DENY = SECCOMP_RET_ERRNO | EPERM, ABSENT = SECCOMP_RET_ERRNO | ENOSYS, ROOM = 512 };

struct program {
	struct sock_filter code[ROOM];
	unsigned short length;
};

static void add(struct program *to, struct sock_filter instruction)
{
	if (to->length < ROOM)
		to->code[to->length++] = instruction;
}

static void statement(struct program *to, uint16_t code, uint32_t k)
{
	add(to, (struct sock_filter)BPF_STMT(code, k));
}

static void load(struct program *to, uint32_t offset)
{
	statement(to, BPF_LD | BPF_W | BPF_ABS, offset);
}

static void answer(struct program *to, uint32_t result)
{
	statement(to, BPF_RET | BPF_K, result);
}

static void allow(struct program *to, uint32_t number)
{
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1));
	answer(to, ALLOW);
}

// The low half of an argument: the high half of those that are looked at means nothing.
static uint32_t argument(int index)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) + (size_t)index * 8);
}

// Allowed if (argument & mask) == value.
static void allow_if(struct program *to, uint32_t number, int index, uint32_t mask, uint32_t value)
{
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 5));
	load(to, argument(index));
	statement(to, BPF_ALU | BPF_AND | BPF_K, mask);
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	answer(to, ALLOW);
	answer(to, DENY);
}

// A socket of one of the families that name resolution and HTTP need.
static void allow_ip_sockets(struct program *to)
{
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 7));
	load(to, argument(0));
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1 /* AF_UNIX */, 4, 0));
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2 /* AF_INET */, 3, 0));
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 10 /* AF_INET6 */, 2, 0));
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 16 /* AF_NETLINK */, 1, 0));
	answer(to, DENY);
	answer(to, ALLOW);
}

static void build(struct program *to, enum ant_profile profile)
{
	load(to, offsetof(struct seccomp_data, arch));
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	answer(to, SECCOMP_RET_KILL_PROCESS);
	load(to, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof both / sizeof *both; i++)
		allow(to, both[i]);
	// Threads and no processes. The C library takes clone instead when there is no clone3, whose flags no filter can see.
	allow_if(to, SYS_clone, 0, CLONE_THREAD, CLONE_THREAD);
	add(to, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
	answer(to, ABSENT);
	// A signal of its own, as abort(3) sends.
	allow_if(to, SYS_tgkill, 0, ~0U, (uint32_t)getpid());
	allow_if(to, SYS_prctl, 0, ~0U, PR_SET_NAME);
	if (profile == ANT_PROFILE_CACHE_OWNER) {
		for (size_t i = 0; i < sizeof owner / sizeof *owner; i++)
			allow(to, owner[i]);
		allow_ip_sockets(to);
	} else {
		allow_if(to, SYS_mmap, 2, PROT_EXEC, 0);
		allow_if(to, SYS_mprotect, 2, PROT_EXEC, 0);
		// fstat(3) of some versions of the C library.
		allow_if(to, SYS_newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH);
	}
	answer(to, DENY);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}, {0}};
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -1;
	return (int)syscall(SYS_capset, &header, none);
}

int ant_harden(enum ant_profile profile, const char **failed_step)
{
	*failed_step = "dropping capabilities";
	if (drop_capabilities() < 0)
		return -1;
	*failed_step = "setting no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	*failed_step = "clearing the dumpable flag";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -1;
// A sanitizer's runtime has needs of its own.
#if !__has_feature(thread_sanitizer) && !__has_feature(address_sanitizer)
	*failed_step = "installing the seccomp filter";
	struct program filter = {.length = 0};
	build(&filter, profile);
	if (filter.length == ROOM) {
		errno = E2BIG;
		return -1;
	}
	struct sock_fprog code = {.len = filter.length, .filter = filter.code};
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &code);
#else
	(void)profile;
	(void)build;
	return 0;
#endif
}
