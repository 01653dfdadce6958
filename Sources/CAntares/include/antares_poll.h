#pragma once
#include <stdint.h>

// Events of epoll(7), include/uapi/linux/eventpoll.h.
enum {
	ANT_EPOLL_IN = 0x1,
	ANT_EPOLL_OUT = 0x4,
	ANT_EPOLL_ERR = 0x8,
	ANT_EPOLL_HUP = 0x10,
	ANT_EPOLL_RDHUP = 0x2000,
	ANT_EPOLL_ONESHOT = 1 << 30,
	ANT_EPOLL_ET = 1U << 31,
};

/// One event, in the layout of struct epoll_event.
struct ant_epoll_event {
	uint32_t events;
	uint64_t token;
} __attribute__((packed));

int ant_epoll_create(void);
/// epoll_wait(2).
int ant_epoll_wait(int epoll, struct ant_epoll_event *events, int limit, int timeout_ms);
/// Adds (or changes, if `change`) `fd` with the caller's token.
int ant_epoll_set(int epoll, int fd, uint32_t events, uint64_t token, int change);
int ant_epoll_remove(int epoll, int fd);
/// A close-on-exec, non-blocking signalfd(2) for the signals, which are blocked in the calling thread.
int ant_signalfd(const int *signals, int count);
/// The next signal of a signalfd: its number, 0 if there is none, -1 on error.
int ant_next_signal(int fd);
/// Blocks SIGPIPE and the given signals in the calling thread; threads made later inherit that.
int ant_block_signals(const int *signals, int count);
