import Glibc
import Testing

/// Tests with real mounts, one after the other.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: getuid() == 0 && access("/dev/fuse", F_OK) == 0))
struct MountTests {}
