#pragma once

/// What a process may still ask of the kernel.
enum ant_profile {
	/// Descriptors that it has, memory, threads, clocks. It can open no file and no socket.
	ANT_PROFILE_WORKER = 0,
	/// Besides: files and IP sockets. It can start no program.
	ANT_PROFILE_CACHE_OWNER = 1,
};

/// Takes from the calling process, for ever: capabilities, the way to get new ones, being read or dumped by its equals (PR_SET_DUMPABLE),
/// and all system calls that the profile does not list (seccomp(2): they fail with EPERM). Every thread is subject to it. On failure
/// returns -1 with errno, and *failed_step names the step.
int ant_harden(enum ant_profile profile, const char **failed_step);
