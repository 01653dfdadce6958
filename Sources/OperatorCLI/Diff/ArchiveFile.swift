import Glibc
import LinuxSystem

/// Where an archive of changes goes.
enum ArchiveFile {
    /// `-` is standard output.
    static func write(_ changes: [DifferenceReport.Change], of mountpoint: String, to path: String) throws(CLIError) {
        if path == "-", isatty(STDOUT_FILENO) != 0 {
            throw CLIError(.usage, "an archive is nothing for a terminal; --tar FILE writes it to a file")
        }
        let plan = ArchivePlan(changes)
        let problems: [String]
        do throws(SystemError) {
            let root = try Directory.open(mountpoint)
            if path == "-" {
                problems = try pack(plan, root.raw, STDOUT_FILENO)
            } else {
                problems = try OutputFile.write(path, mode: 0o666) { (output) throws(SystemError) in
                    try pack(plan, root.raw, output)
                }
            }
        } catch {
            throw CLIError(.internalError, "the changes cannot be packed: \(error)")
        }
        guard problems.isEmpty else {
            problems.forEach(Terminal.complain)
            throw CLIError(.internalError, "the archive is not all of what was told; is the job still at work?")
        }
    }

    private static func pack(_ plan: ArchivePlan, _ root: Int32, _ output: Int32) throws(SystemError) -> [String] {
        let archive = ChangeArchive(of: root, to: output)
        try archive.write(plan)
        return archive.problems
    }
}
