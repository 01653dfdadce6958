#pragma once
#include <stdint.h>
#include <sys/types.h>

struct ant_spawn_request {
	const char *path;
	char **argv;
	char **envp;
	/// fds[i] of the caller becomes fd i of the child; -1 opens /dev/null there. Every other fd is closed.
	const int *fds;
	int fd_count;
	/// Working directory, or NULL to keep the caller's.
	const char *directory;
	/// Taken after everything that needs root; (uid_t)-1 keeps the caller's.
	uid_t uid;
	gid_t gid;
	int new_session;
	/// The nice value the program starts with, unless keep_nice.
	int nice;
	int keep_nice;
	int no_new_privileges;
	/// Signals that the caller ignores stay ignored, as a shell's `nohup` and `&` want it; else all are reset.
	int keep_ignored_signals;
	/// Limits in bytes or counts; 0 keeps the caller's.
	uint64_t memlock_limit;
	uint64_t nofile_limit;
	/// Written to the child's oom_score_adj, unless keep_oom_score.
	int oom_score_adjust;
	int keep_oom_score;
};

/// Starts a program without copying the caller's address space: clone(2) with CLONE_VM|CLONE_VFORK|CLONE_PIDFD, then execve(2).
/// Returns the pid and fills *pidfd. On failure returns -1 with errno, and *failed_step names the step that failed.
pid_t ant_spawn(const struct ant_spawn_request *what, int *pidfd, const char **failed_step);
