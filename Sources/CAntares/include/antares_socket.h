#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ANT_MAX_FDS = 32 };

/// A connected pair of SOCK_SEQPACKET sockets, close-on-exec.
int ant_seqpacket_pair(int fds[2]);
int ant_seqpacket_listen(const char *path, int backlog, unsigned mode);
int ant_seqpacket_connect(const char *path);
int ant_accept(int listener);
/// Sends one message of two parts with `fd_count` fds. MSG_NOSIGNAL; never a part of a message.
ssize_t ant_send(int socket, const void *head, size_t head_size, const void *body, size_t body_size,
                 const int *fds, int fd_count);
/// Receives one message. `fds` has room for ANT_MAX_FDS; *fd_count is how many arrived, all close-on-exec. A message or a set
/// of fds that does not fit is EMSGSIZE and every received fd is closed. 0 is end of file.
ssize_t ant_receive(int socket, void *buffer, size_t size, int *fds, int *fd_count);
int ant_peer_credentials(int socket, pid_t *pid, uid_t *uid, gid_t *gid);
int ant_set_send_buffer(int socket, int bytes);
