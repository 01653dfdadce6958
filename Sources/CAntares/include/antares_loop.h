#pragma once
#include <stddef.h>

/// Puts a loop device over an open file (loop(4)) that frees itself when its last user is gone. Answers the device, opened, and writes its
/// path to `name`.
int ant_loop_attach(int file, char *name, size_t size);
/// Ends a filesystem at once (FS_IOC_SHUTDOWN): what is not on its device yet is dropped.
int ant_filesystem_shut_down(int fd);
