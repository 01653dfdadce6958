#pragma once
#include <stddef.h>
#include <stdint.h>

int ant_fsopen(const char *type);
int ant_fsconfig_flag(int fs, const char *key);
int ant_fsconfig_string(int fs, const char *key, const char *value);
int ant_fsconfig_fd(int fs, const char *key, int fd);
int ant_fsconfig_create(int fs);
/// fspick(2): the filesystem of the mount whose root is `root`, to be reconfigured.
int ant_fspick(int root);
int ant_fsconfig_reconfigure(int fs);
/// fsmount(2); attributes is a set of MOUNT_ATTR_ flags.
int ant_fsmount(int fs, unsigned attributes);
/// The next message of the filesystem's log (read on an fsopen fd), NUL-terminated; -1 with ENODATA when there is none.
int ant_fs_log(int fs, char *buffer, size_t size);
/// Attaches the detached mount `mount` at the directory `target` (both by fd).
int ant_move_mount(int mount, int target, int beneath);
/// open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path`.
int ant_clone_tree(int dirfd, const char *path);
/// Makes the mount at `path` shared (mount_namespaces(7)).
int ant_make_shared(const char *path);
/// mount(2) of a filesystem that needs no options.
int ant_mount(const char *source, const char *path, const char *type);
/// umount2(2) with UMOUNT_NOFOLLOW, and with MNT_DETACH if `detach`.
int ant_unmount(const char *path, int detach);
/// The unique mount id (never reused, Linux 6.8) of the mount that `fd` is on.
int ant_unique_mount_id(int fd, uint64_t *id);
/// statmount(2): 0 if a mount with this unique id exists in the caller's namespace, -1 with ENOENT if not.
int ant_mount_exists(uint64_t unique_id);

struct ant_mount_facts {
	/// The device number of the superblock.
	uint32_t major, minor;
	/// The mount's id as /proc/PID/mountinfo has it; used again after the mount is gone.
	uint32_t old_id;
};
/// statmount(2): -1 with ENOENT if no mount of the caller's namespace has this unique id.
int ant_mount_facts(uint64_t unique_id, struct ant_mount_facts *facts);
/// The mountinfo id of the mount that `path` leads to, from memory (AT_STATX_DONT_SYNC). Follows the links of /proc.
int ant_path_mount_id(const char *path, uint32_t *old_id);
