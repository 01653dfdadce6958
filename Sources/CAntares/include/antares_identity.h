#pragma once
#include <sys/types.h>

/// A user namespace (user_namespaces(7)) in which id 0 is `uid` and `gid` of the caller's, and nothing else exists. For id-mapped mounts only:
/// no process is in it. Returns a descriptor.
int ant_user_namespace(uid_t uid, gid_t gid);
/// A detached copy of the mount that `mount` is the root of, with ids mapped by `user_namespace` (mount_setattr(2), MOUNT_ATTR_IDMAP).
int ant_idmapped_copy(int mount, int user_namespace);
