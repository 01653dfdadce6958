import CacheProtocol
import GitObjects
import LinuxSystem

/// Finds what a job wrote: looks at the upper, never at the mount.
struct ChangeFinder: Sendable {
    let upper: SharedFD
    /// The snapshot below: the directory that is the mount's root, at the origin.
    let origin: String
    let root: ObjectID
    /// Whether files may have their contents in the lower, as over a sealed snapshot.
    let withMetacopies: Bool
    let cache: CacheOwner
    let threads: BlockingThreads
    let deadline: Deadline

    /// Files that are read before others get their turn on the thread.
    private static let turn = 64

    @concurrent func changes() async throws(SupervisorError) -> [UpperChange] {
        let (upper, withMetacopies, deadline) = (upper, withMetacopies, deadline)
        let scan = try await blocking { () throws(SystemError) in
            try UpperScan(of: upper.raw, withMetacopies: withMetacopies, deadline: deadline)
        }
        var comparison = ChangeComparison(scan, root: root)
        while true {
            let questions = comparison.questions()
            guard !questions.isEmpty else { break }
            comparison.answer(try await cache.lookUp(origin: origin, questions, deadline: deadline))
        }
        for id in comparison.listings() {
            comparison.supply(id, try await cache.directory(id, origin: origin, deadline: deadline))
        }
        let files = comparison.files()
        var contents: [Int: ChangeComparison.Contents] = [:]
        for start in stride(from: 0, to: files.count, by: Self.turn) {
            let some = Array(files[start..<min(start + Self.turn, files.count)])
            let found = try await blocking { () throws(SystemError) -> [ChangeComparison.Contents] in
                let reader = UpperFiles(upper: upper.raw, deadline: deadline)
                var found: [ChangeComparison.Contents] = []
                for file in some { found.append(try reader.contents(file)) }
                return found
            }
            for (file, value) in zip(some, found) { contents[file.index] = value }
        }
        return comparison.changes(contents)
    }

    private func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () throws(SystemError) -> Value
    ) async throws(SupervisorError) -> Value {
        do throws(SystemError) {
            return try await threads.run(body)
        } catch {
            throw Self.explain(error)
        }
    }

    static func explain(_ error: SystemError) -> SupervisorError {
        switch error.errno {
        case .timedOut:
            SupervisorError(
                .timedOut, "what the job wrote could not be looked through in time", cause: error.description)
        case .overflow, .nameTooLong:
            SupervisorError(.conflict, "what the job wrote is too much to be told: \(error)")
        default:
            SupervisorError(.internalError, "what the job wrote cannot be read: \(error)", cause: error.description)
        }
    }
}
