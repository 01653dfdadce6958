import Glibc
import Testing

/// Everything together: real programs, real mounts, real kills. One test at a time: each expects that nothing of it is left.
@Suite(
    .serialized,
    .enabled(if: getuid() == 0, "mounting needs root"),
    .enabled(if: Program.areBuilt, "the programs are not built"))
struct SystemTests {}
