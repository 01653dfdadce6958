#include "antares_identity.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	int error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

static int map_ids(pid_t child, uid_t uid, gid_t gid)
{
	char path[64], text[64];
	snprintf(path, sizeof path, "/proc/%d/uid_map", child);
	snprintf(text, sizeof text, "0 %u 1\n", uid);
	if (write_file(path, text) < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/gid_map", child);
	snprintf(text, sizeof text, "0 %u 1\n", gid);
	if (write_file(path, text) < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/ns/user", child);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int ant_user_namespace(uid_t uid, gid_t gid)
{
	// A namespace is born with a process. The child has a copy of the caller's memory and does nothing but wait for its end; it must not
	// outlive the caller.
	pid_t child = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child < 0)
		return -1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	int fd = map_ids(child, uid, gid);
	int error = errno;
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	errno = error;
	return fd;
}

int ant_idmapped_copy(int mount, int user_namespace)
{
	int copy = open_tree(mount, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (copy < 0)
		return -1;
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)user_namespace};
	if (mount_setattr(copy, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
		return copy;
	int error = errno;
	close(copy);
	errno = error;
	return -1;
}
