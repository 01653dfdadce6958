#pragma once
#include <stdint.h>

/// What quotactl(2) says of one project.
struct ant_project_quota {
	uint64_t bytes, inodes;
	/// 0 is no limit.
	uint64_t byte_limit, inode_limit;
};

/// The project id of a file or directory (FS_IOC_FSGETXATTR).
int ant_get_project(int fd, uint32_t *project);
/// Gives a directory a project id that everything made in it from now on inherits (FS_IOC_FSSETXATTR, FS_XFLAG_PROJINHERIT).
int ant_set_project(int fd, uint32_t project);
/// 1 if the filesystem that `fd` is on enforces limits of projects, 0 if it only counts or does neither; -1 with ENOSYS if it knows no quota.
int ant_enforces_projects(int fd);
/// quotactl_fd(2), Q_GETQUOTA. ENOENT or ESRCH where the filesystem has never heard of the project.
int ant_get_project_quota(int fd, uint32_t project, struct ant_project_quota *quota);
/// quotactl_fd(2), Q_SETQUOTA: the hard limits; bytes in whole KiB.
int ant_set_project_limits(int fd, uint32_t project, uint64_t bytes, uint64_t inodes);
