#include "antares_loop.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int ant_loop_attach(int file, char *name, size_t size)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -1;
	int device = -1;
	// Between the question and the answer somebody else may take the number.
	for (int tries = 0; tries < 64; tries++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			break;
		snprintf(name, size, "/dev/loop%d", number);
		device = open(name, O_RDWR | O_CLOEXEC);
		if (device < 0)
			break;
		// Direct, or everything would be in memory twice.
		struct loop_config config = {
			.fd = (uint32_t)file,
			.block_size = 4096,
			.info = {.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO},
		};
		if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
			break;
		int error = errno;
		close(device);
		device = -1;
		errno = error;
		if (error != EBUSY)
			break;
	}
	int error = errno;
	close(control);
	errno = error;
	return device;
}

int ant_filesystem_shut_down(int fd)
{
	// Shared by ext4, XFS and others; include/uapi/linux/fs.h of Linux 6.13.
	enum { no_log_flush = 2 };
	uint32_t how = no_log_flush;
	return ioctl(fd, _IOR('X', 125, uint32_t), &how);
}
