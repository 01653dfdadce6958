// What Swift cannot import itself: variadic system calls, function-like macros, and system calls that the C library has
// no wrapper for. Every function answers as system calls do: -1 and errno, or the result.
//
// These headers include only headers of types: what they include becomes part of two Clang modules, this one and the C library's, and
// Swift would then ascribe a structure such as timespec to whichever it met first.
#pragma once
#include "antares_atomic.h"
#include "antares_file.h"
#include "antares_harden.h"
#include "antares_identity.h"
#include "antares_loop.h"
#include "antares_mount.h"
#include "antares_poll.h"
#include "antares_process.h"
#include "antares_quota.h"
#include "antares_socket.h"
#include "antares_spawn.h"
#include "antares_tasks.h"
