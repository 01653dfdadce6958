import CacheProtocol
import GitObjects

/// A change as an origin tells it.
struct Changelist: Hashable, Sendable {
    /// What the change begins with.
    enum Base: Hashable, Sendable {
        /// The origin does not say.
        case unknown
        /// Nothing: all its files are new.
        case empty
        case commit(ObjectID)
    }

    /// What is known of the commit at its end, if the origin tells.
    struct Tip: Hashable, Sendable {
        var commit: ObjectID
        var tree: ObjectID
        /// Committer time, seconds after 1970.
        var time: Int64
    }

    var base: Base
    var tip: Tip?
    /// The origin says that the change is one of the same tree as its head.
    var sharesHistory = false
    var files: [ChangedFile]
}

/// One file of a changelist. Paths begin at the changelist's own root.
struct ChangedFile: Hashable, Sendable {
    enum Action: Hashable, Sendable {
        /// With what the origin tells of the new file; mode and size are nil where it does not.
        case put(Put)
        case delete
    }

    struct Put: Hashable, Sendable {
        var id: ObjectID
        var mode: FileMode?
        var size: UInt64?
        /// Where the mode is from if the origin does not tell: the file's place before the change. Nil for a new file.
        var before: [[UInt8]]?
    }

    var path: [[UInt8]]
    var action: Action

    /// The components of a path as an origin writes it.
    /// - Throws: `refused` for one that leads out of the root, or that no file system can show.
    static func components(_ path: [UInt8], _ changelist: String) throws(CacheError) -> [[UInt8]] {
        let components = path.split(separator: 0x2F, omittingEmptySubsequences: false).map(Array.init)
        let problem = components.lazy.compactMap { EntryName.check($0) }.first
        guard problem == nil, path.count < 4096 else {
            let text = String(decoding: path.prefix(200), as: UTF8.self).debugDescription
            throw CacheError(
                .refused,
                "changelist \(changelist) has an entry \(text) that must not be applied: "
                    + (problem.map { "a component is \($0.rawValue)" } ?? "it is too long"))
        }
        return components
    }
}
