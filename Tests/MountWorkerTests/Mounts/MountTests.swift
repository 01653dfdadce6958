import Glibc
import Testing

/// Tests with real mounts and real worker processes, one after the other.
///
/// Not under the thread sanitizer, whose clone(2) cannot share memory with the child, as starting a process does here;
/// `InProcessTests` are for it.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: Environment.canMount && !Environment.isSanitized))
struct MountTests {}

enum Environment {
    static let canMount = getuid() == 0 && access("/dev/fuse", F_OK) == 0
    /// Whether the thread sanitizer's runtime is linked in.
    static let isSanitized = dlsym(nil, "__tsan_init") != nil
}
