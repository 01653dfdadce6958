import GitObjects
import Glibc
import LinuxSystem

/// The commits whose directories have path keys, one to a line, beside the index: what a path key stands for can be found again
/// from nothing but these, even if the whole index is gone.
final class CommitLog: Sendable {
    private let path: String
    private let known: Guarded<Set<ObjectID>>

    /// Older commits are dropped at the start when there are more.
    static let limit = 10_000

    /// Lines that are no commits are damage, and do not count.
    init(_ path: String) {
        self.path = path
        let text = (try? File.text(path, limit: 4 << 20)) ?? ""
        var commits = text.split(separator: "\n").compactMap { ObjectID(hex: $0) }
        if commits.count > Self.limit {
            commits.removeFirst(commits.count - Self.limit)
            try? File.replace(path, with: Array(commits.map { $0.hex + "\n" }.joined().utf8), durable: false)
        }
        known = Guarded(Set(commits))
    }

    var commits: Set<ObjectID> { known.with { $0 } }

    /// Adds a commit. Failing to costs nothing until an index is lost.
    func note(_ commit: ObjectID) {
        guard known.with({ $0.insert(commit).inserted }) else { return }
        guard let file = try? File.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600) else { return }
        // The first newline ends what an earlier writer may have left half-written.
        Array("\n\(commit.hex)\n".utf8).withUnsafeBytes { _ = Glibc.write(file.raw, $0.baseAddress, $0.count) }
    }
}
