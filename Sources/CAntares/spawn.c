// The child shares the parent's memory until execve, so it may touch only its own stack, `struct job` and system calls. It
// gets a stack of its own because the parent's frames are live. Signals stay blocked until the child has reset them, or a
// handler of the parent would run in the child on shared memory.
#include "antares_spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_SIZE = 128 * 1024, MAX_FDS = 64, SAFE_FD = 512 };

// The thread sanitizer cannot follow a child into its own memory; what the two share is mapped shared, so that the child may
// have a copy of the rest.
#if __has_feature(thread_sanitizer)
enum { SHARE_MEMORY = 0 };
#else
enum { SHARE_MEMORY = CLONE_VM };
#endif

struct job {
	const struct ant_spawn_request *what;
	const char *step;
	int error;
};

struct shared {
	struct job job;
	_Alignas(16) char stack[STACK_SIZE];
};

// Without CAP_SYS_RESOURCE, as in most containers, a limit can only be lowered: then the highest that is allowed has to do.
static int set_limit(int which, uint64_t value)
{
	struct rlimit limit = {value, value};
	if (value == 0 || setrlimit(which, &limit) == 0)
		return 0;
	if (errno != EPERM || getrlimit(which, &limit) < 0)
		return -1;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(which, &limit);
}

static int set_oom_score(int adjust)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%d", adjust);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, (size_t)length);
	close(fd);
	return n == length ? 0 : -1;
}

// Two passes: first every wanted fd is copied above all targets, then into place; so a source is never overwritten by an
// earlier target. close_range last closes the copies and whatever else the parent had open.
static int place_fds(const struct ant_spawn_request *what)
{
	int copies[MAX_FDS];
	for (int i = 0; i < what->fd_count; i++) {
		int source = what->fds[i];
		if (source < 0)
			source = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (source < 0)
			return -1;
		copies[i] = fcntl(source, F_DUPFD_CLOEXEC, SAFE_FD);
		if (copies[i] < 0)
			return -1;
	}
	for (int i = 0; i < what->fd_count; i++)
		if (dup2(copies[i], i) < 0)
			return -1;
	return close_range((unsigned)what->fd_count, ~0U, 0);
}

// The raw calls: the C library's setuid family would signal all threads of the parent to change with it.
static int drop_identity(const struct ant_spawn_request *what)
{
	// Supplementary groups go with either: a changed user must not keep the groups of the old one.
	if ((what->uid != (uid_t)-1 || what->gid != (gid_t)-1) && syscall(SYS_setgroups, 0, NULL) < 0)
		return -1;
	if (what->gid != (gid_t)-1 && syscall(SYS_setresgid, what->gid, what->gid, what->gid) < 0)
		return -1;
	if (what->uid != (uid_t)-1 && syscall(SYS_setresuid, what->uid, what->uid, what->uid) < 0)
		return -1;
	return 0;
}

static int is_ignored(int signal)
{
	struct sigaction current;
	return sigaction(signal, NULL, &current) == 0 && current.sa_handler == SIG_IGN;
}

#define STEP(name, expression)              \
	do {                                \
		job->step = name;           \
		if ((expression) < 0)       \
			goto failed;        \
	} while (0)

static int child(void *argument)
{
	struct job *job = argument;
	const struct ant_spawn_request *what = job->what;

	struct sigaction standard = {.sa_handler = SIG_DFL};
	for (int signal = 1; signal < NSIG; signal++)
		if (signal != SIGKILL && signal != SIGSTOP && !(what->keep_ignored_signals && is_ignored(signal)))
			sigaction(signal, &standard, NULL);

	STEP("placing file descriptors", place_fds(what));
	if (what->new_session)
		STEP("setsid", setsid());
	if (!what->keep_nice)
		STEP("setting the nice value", setpriority(PRIO_PROCESS, 0, what->nice));
	STEP("setting RLIMIT_MEMLOCK", set_limit(RLIMIT_MEMLOCK, what->memlock_limit));
	STEP("setting RLIMIT_NOFILE", set_limit(RLIMIT_NOFILE, what->nofile_limit));
	if (!what->keep_oom_score)
		STEP("setting oom_score_adj", set_oom_score(what->oom_score_adjust));
	if (what->directory)
		STEP("entering the working directory", chdir(what->directory));
	STEP("changing user and group", drop_identity(what));
	if (what->no_new_privileges)
		STEP("setting no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));

	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	job->step = "executing the program";
	execve(what->path, what->argv, what->envp);
failed:
	job->error = errno;
	_exit(127);
}

pid_t ant_spawn(const struct ant_spawn_request *what, int *pidfd, const char **failed_step)
{
	*failed_step = "starting a process";
	if (what->fd_count < 0 || what->fd_count > MAX_FDS) {
		errno = EINVAL;
		return -1;
	}
	struct shared *shared =
		mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (shared == MAP_FAILED)
		return -1;
	shared->job = (struct job){.what = what, .step = *failed_step};

	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = clone(child, shared->stack + STACK_SIZE, SHARE_MEMORY | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
	                  &shared->job, pidfd);
	int error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	if (pid >= 0 && shared->job.error) {
		// The child has ended at _exit; reap it so that it is no zombie.
		siginfo_t ignored;
		syscall(SYS_waitid, 3 /* P_PIDFD */, *pidfd, &ignored, 4 /* WEXITED */, NULL);
		close(*pidfd);
		error = shared->job.error;
		pid = -1;
	}
	*failed_step = shared->job.step;
	munmap(shared, sizeof *shared);
	if (pid < 0)
		errno = error;
	return pid;
}
