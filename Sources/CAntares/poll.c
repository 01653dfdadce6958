#include "antares_poll.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

int ant_epoll_create(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

_Static_assert(sizeof(struct ant_epoll_event) == sizeof(struct epoll_event), "the layout is the kernel's");

int ant_epoll_wait(int epoll, struct ant_epoll_event *events, int limit, int timeout_ms)
{
	return epoll_wait(epoll, (struct epoll_event *)events, limit, timeout_ms);
}

int ant_epoll_set(int epoll, int fd, uint32_t events, uint64_t token, int change)
{
	struct epoll_event event = {.events = events, .data.u64 = token};
	return epoll_ctl(epoll, change ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

int ant_epoll_remove(int epoll, int fd)
{
	return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void fill(sigset_t *set, const int *signals, int count)
{
	sigemptyset(set);
	for (int i = 0; i < count; i++)
		sigaddset(set, signals[i]);
}

int ant_signalfd(const int *signals, int count)
{
	sigset_t set;
	fill(&set, signals, count);
	int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (error) {
		errno = error;
		return -1;
	}
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int ant_next_signal(int fd)
{
	struct signalfd_siginfo info;
	ssize_t n = read(fd, &info, sizeof info);
	if (n == (ssize_t)sizeof info)
		return (int)info.ssi_signo;
	return n < 0 && errno == EAGAIN ? 0 : -1;
}

int ant_block_signals(const int *signals, int count)
{
	sigset_t set;
	fill(&set, signals, count);
	sigaddset(&set, SIGPIPE);
	int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (error) {
		errno = error;
		return -1;
	}
	return 0;
}
