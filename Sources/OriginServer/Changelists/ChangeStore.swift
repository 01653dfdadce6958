import GitObjects
import LinuxSystem

/// Two objects and the way from one to the other.
struct ObjectPair: Hashable, Sendable {
    let from: ObjectID
    let to: ObjectID
}

/// Differences between trees and commits; what was asked for lately is kept, because it never changes.
final class ChangeStore: Sendable {
    private let pool: GitProcessPool
    private let repository: GitRepository
    private let deadline: Duration
    private let changes: RecentCache<ObjectPair, [ChangedFile]>
    private let bases: RecentCache<ObjectPair, ObjectID?>

    init(_ repository: GitRepository, limits: OriginConfiguration.Limits) throws(OriginError) {
        self.repository = repository
        self.deadline = limits.gitDeadline
        self.pool = try GitProcessPool(
            repository, size: limits.differs, deadline: limits.gitDeadline, queue: limits.queue, name: "git-changes"
        ) { (repository, deadline) throws(OriginError) in
            try repository.startDiffTree(deadline: deadline)
        }
        self.changes = RecentCache(capacity: limits.changeCache) { $0.count + 1 }
        self.bases = RecentCache(capacity: 4096) { _ in 1 }
    }

    var restarts: UInt64 { self.pool.restarts }
    var idleProcesses: [Int32] { self.pool.idleProcesses }

    func changes(_ trees: ObjectPair) async throws(OriginError) -> [ChangedFile] {
        if let known = self.changes[trees] { return known }
        let found = try await self.pool.run { (process, _) throws(OriginError) in
            try process.changes(from: trees.from, to: trees.to)
        }
        self.changes.insert(found, for: trees)
        return found
    }

    func mergeBase(_ commits: ObjectPair) async throws(OriginError) -> ObjectID? {
        if let known = self.bases[commits] { return known }
        let deadline = self.deadline
        let found = try await self.pool.run { [repository] (_, _) throws(OriginError) in
            try repository.mergeBase(commits.from, commits.to, deadline: .after(deadline))
        }
        self.bases.insert(found, for: commits)
        return found
    }
}
