#include "antares_mount.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than Debian 12's headers: include/uapi/linux/mount.h and stat.h of Linux 6.8.
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#define ANT_STATX_MNT_ID 0x00001000U
#define ANT_STATX_MNT_ID_UNIQUE 0x00004000U
#define ANT_MOVE_MOUNT_BENEATH 0x00000200U
#define ANT_STATMOUNT_SB_BASIC 0x00000001U
#define ANT_STATMOUNT_MNT_BASIC 0x00000002U

struct ant_mnt_id_req {
	uint32_t size;
	uint32_t spare;
	uint64_t mnt_id;
	uint64_t param;
};

int ant_fsopen(const char *type)
{
	return fsopen(type, FSOPEN_CLOEXEC);
}

int ant_fsconfig_flag(int fs, const char *key)
{
	return fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
}

int ant_fsconfig_string(int fs, const char *key, const char *value)
{
	return fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

int ant_fsconfig_fd(int fs, const char *key, int fd)
{
	return fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd);
}

int ant_fsconfig_create(int fs)
{
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int ant_fspick(int root)
{
	return fspick(root, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
}

int ant_fsconfig_reconfigure(int fs)
{
	return fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

int ant_fsmount(int fs, unsigned attributes)
{
	return fsmount(fs, FSMOUNT_CLOEXEC, attributes);
}

int ant_fs_log(int fs, char *buffer, size_t size)
{
	ssize_t n = read(fs, buffer, size - 1);
	if (n < 0)
		return -1;
	buffer[n] = 0;
	return 0;
}

int ant_move_mount(int mount, int target, int beneath)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
	return move_mount(mount, "", target, "", flags | (beneath ? ANT_MOVE_MOUNT_BENEATH : 0));
}

int ant_clone_tree(int dirfd, const char *path)
{
	return open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int ant_make_shared(const char *path)
{
	return mount(NULL, path, NULL, MS_SHARED, NULL);
}

int ant_mount(const char *source, const char *path, const char *type)
{
	return mount(source, path, type, 0, NULL);
}

int ant_unmount(const char *path, int detach)
{
	return umount2(path, UMOUNT_NOFOLLOW | (detach ? MNT_DETACH : 0));
}

int ant_unique_mount_id(int fd, uint64_t *id)
{
	// struct statx of these headers has stx_mnt_id, which carries the unique id when the new mask bit is asked for.
	struct statx st;
	memset(&st, 0, sizeof st);
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, ANT_STATX_MNT_ID_UNIQUE, &st) < 0)
		return -1;
	if (!(st.stx_mask & ANT_STATX_MNT_ID_UNIQUE)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	*id = st.stx_mnt_id;
	return 0;
}

int ant_mount_exists(uint64_t unique_id)
{
	struct ant_mnt_id_req request = {
		.size = 24, .mnt_id = unique_id, .param = ANT_STATMOUNT_SB_BASIC};
	char answer[1024];
	return (int)syscall(SYS_statmount, &request, answer, sizeof answer, 0);
}

int ant_mount_facts(uint64_t unique_id, struct ant_mount_facts *facts)
{
	struct ant_mnt_id_req request = {
		.size = 24, .mnt_id = unique_id, .param = ANT_STATMOUNT_SB_BASIC | ANT_STATMOUNT_MNT_BASIC};
	// The head of struct statmount (include/uapi/linux/mount.h); strings follow it.
	struct {
		uint32_t size, options;
		uint64_t mask;
		uint32_t major, minor;
		uint64_t magic;
		uint32_t flags, type;
		uint64_t id, parent;
		uint32_t old_id, old_parent;
		char rest[1024];
	} answer;
	if (syscall(SYS_statmount, &request, &answer, sizeof answer, 0) < 0)
		return -1;
	facts->major = answer.major;
	facts->minor = answer.minor;
	facts->old_id = answer.old_id;
	return 0;
}

int ant_path_mount_id(const char *path, uint32_t *old_id)
{
	struct statx st;
	memset(&st, 0, sizeof st);
	if (syscall(SYS_statx, AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, ANT_STATX_MNT_ID, &st) < 0)
		return -1;
	*old_id = (uint32_t)st.stx_mnt_id;
	return 0;
}
