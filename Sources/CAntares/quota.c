#include "antares_quota.h"
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The C library has no wrapper, and its header of quotactl(2) does not go together with the kernel's.
static int quotactl_projects(int fd, unsigned command, uint32_t project, void *argument)
{
	return (int)syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, argument);
}

int ant_get_project(int fd, uint32_t *project)
{
	struct fsxattr attributes;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
		return -1;
	*project = attributes.fsx_projid;
	return 0;
}

int ant_set_project(int fd, uint32_t project)
{
	struct fsxattr attributes;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
		return -1;
	attributes.fsx_projid = project;
	attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return ioctl(fd, FS_IOC_FSSETXATTR, &attributes);
}

int ant_enforces_projects(int fd)
{
	// Filesystems with quota of the kernel's common kind answer the command of XFS, too.
	struct fs_quota_stat state = {.qs_version = FS_QSTAT_VERSION};
	if (quotactl_projects(fd, Q_XGETQSTAT, 0, &state) < 0)
		return -1;
	return (state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0;
}

int ant_get_project_quota(int fd, uint32_t project, struct ant_project_quota *quota)
{
	struct if_dqblk found;
	if (quotactl_projects(fd, Q_GETQUOTA, project, &found) < 0)
		return -1;
	*quota = (struct ant_project_quota){
		.bytes = found.dqb_curspace,
		.inodes = found.dqb_curinodes,
		.byte_limit = found.dqb_bhardlimit << QIF_DQBLKSIZE_BITS,
		.inode_limit = found.dqb_ihardlimit,
	};
	return 0;
}

int ant_set_project_limits(int fd, uint32_t project, uint64_t bytes, uint64_t inodes)
{
	struct if_dqblk wanted = {
		.dqb_bhardlimit = bytes >> QIF_DQBLKSIZE_BITS,
		.dqb_ihardlimit = inodes,
		.dqb_valid = QIF_LIMITS,
	};
	return quotactl_projects(fd, Q_SETQUOTA, project, &wanted);
}
