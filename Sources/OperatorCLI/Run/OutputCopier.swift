import Glibc
import LinuxSystem

/// Copies what a job made out of its mount.
struct OutputCopier {
    /// Where the mount is.
    let mountpoint: String
    /// Where `antares` was called.
    let directory: String
    /// True when a signal asks to end.
    let isCancelled: () -> Bool

    /// What could not be copied, one line each; empty if all was.
    func copy(_ outputs: [OutputSpec]) -> [String] {
        var problems: [String] = []
        for output in outputs {
            do throws(SystemError) {
                for skipped in try copy(output) {
                    problems.append("output \(skipped) is no file, link or directory and was left out")
                }
            } catch {
                if error.errno == .cancelled { return problems + ["output \(output.source): interrupted"] }
                problems.append(Self.explanation(output, error))
            }
        }
        return problems
    }

    private func copy(_ output: OutputSpec) throws(SystemError) -> [String] {
        let root = try Directory.open(mountpoint)
        // A link may lead to another place of the mount, never out of it: the job chose where it points.
        let source = try Directory.open(
            beneath: root.raw, output.source, flags: O_RDONLY | O_NONBLOCK | O_CLOEXEC, resolve: .beneath)
        let (parent, name) = output.target(in: directory)
        try Directory.create(parent)
        let target = try Directory.open(parent)
        var copy = TreeCopy(isCancelled: isCancelled)
        try copy.copy(source, to: target.raw, name)
        return copy.result.skipped
    }

    private static func explanation(_ output: OutputSpec, _ error: SystemError) -> String {
        switch (error.errno, error.operation) {
        case (.notFound, "openat2"): "output \(output.source) is missing: the command did not make it"
        case (.crossDevice, "openat2"): "output \(output.source) is a link out of the mount and was not copied"
        default: "output \(output.source) cannot be copied to \(output.destination): \(error)"
        }
    }
}
