#pragma once
#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <stddef.h>

// fuse_session_new takes its settings as a command line, which it only reads.
static inline struct fuse_session *antares_fuse_session_new(const struct fuse_lowlevel_ops *ops, void *userdata)
{
	char *argv[] = {(char *)"antares-worker", NULL};
	struct fuse_args arguments = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session = fuse_session_new(&arguments, ops, sizeof *ops, userdata);
	fuse_opt_free_args(&arguments);
	return session;
}
