#include "antares_socket.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

int ant_seqpacket_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
}

static int unix_address(const char *path, struct sockaddr_un *address)
{
	size_t length = strlen(path);
	if (length >= sizeof address->sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
	return 0;
}

static int close_keeping_errno(int fd)
{
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int ant_seqpacket_listen(const char *path, int backlog, unsigned mode)
{
	struct sockaddr_un address;
	if (unix_address(path, &address) < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	// The socket file takes its mode from the inode of the unbound socket, so there is no moment with a wider mode.
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, backlog) < 0)
		return close_keeping_errno(fd);
	return fd;
}

int ant_seqpacket_connect(const char *path)
{
	struct sockaddr_un address;
	if (unix_address(path, &address) < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return close_keeping_errno(fd);
	return fd;
}

int ant_accept(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

ssize_t ant_send(int socket, const void *head, size_t head_size, const void *body, size_t body_size,
                 const int *fds, int fd_count)
{
	struct iovec parts[2] = {{(void *)head, head_size}, {(void *)body, body_size}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = body_size ? 2 : 1};
	union {
		char bytes[CMSG_SPACE(sizeof(int) * ANT_MAX_FDS)];
		struct cmsghdr align;
	} control;
	if (fd_count < 0 || fd_count > ANT_MAX_FDS) {
		errno = EINVAL;
		return -1;
	}
	if (fd_count > 0) {
		memset(&control, 0, sizeof control);
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fd_count);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fd_count);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)fd_count);
	}
	ssize_t n;
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t ant_receive(int socket, void *buffer, size_t size, int *fds, int *fd_count)
{
	struct iovec part = {buffer, size};
	union {
		char bytes[CMSG_SPACE(sizeof(int) * ANT_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
	*fd_count = 0;
	ssize_t n;
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (int i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(header) + sizeof(int) * (size_t)i, sizeof fd);
			if (*fd_count < ANT_MAX_FDS)
				fds[(*fd_count)++] = fd;
			else
				close(fd);
		}
	}
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		for (int i = 0; i < *fd_count; i++)
			close(fds[i]);
		*fd_count = 0;
		errno = EMSGSIZE;
		return -1;
	}
	return n;
}

int ant_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -1;
	*pid = credentials.pid;
	*uid = credentials.uid;
	*gid = credentials.gid;
	return 0;
}

int ant_set_send_buffer(int socket, int bytes)
{
	return setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}
