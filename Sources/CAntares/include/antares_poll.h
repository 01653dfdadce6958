#pragma once
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>

int ant_epoll_create(void);
/// Adds (or changes, if `change`) `fd` with the caller's token.
int ant_epoll_set(int epoll, int fd, uint32_t events, uint64_t token, int change);
int ant_epoll_remove(int epoll, int fd);
/// A close-on-exec, non-blocking signalfd(2) for the signals, which are blocked in the calling thread.
int ant_signalfd(const int *signals, int count);
/// The next signal of a signalfd: its number, 0 if there is none, -1 on error.
int ant_next_signal(int fd);
/// Blocks SIGPIPE and the given signals in the calling thread; threads made later inherit that.
int ant_block_signals(const int *signals, int count);
