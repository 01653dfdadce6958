import CacheProtocol
import FoundationEssentials
import GitObjects
import LinuxSystem

/// What is to be preloaded. Kept in the store's file `preloads` until it has ended, so that the next owner goes on with it.
struct PreloadRequest: Codable, Hashable, Sendable {
    /// The origin's own count.
    var number: UInt64
    /// As it was asked for, for people.
    var revision: String
    var path: String
    var commit: String
    /// The root directory, as `text(of:)` writes it.
    var root: String
    var commitTime: Int64
    /// Levels of directories below the root; nil for all.
    var depth: Int?
    var withContents: Bool

    /// Whether one preload does for both.
    func isSame(as other: PreloadRequest) -> Bool {
        root == other.root && commit == other.commit && depth == other.depth && withContents == other.withContents
    }

    var rootID: ObjectID? { Self.id(root) }

    static func text(of id: ObjectID) -> String {
        "\(id.kind.rawValue):\(id.hex)"
    }

    static func id(_ text: String) -> ObjectID? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let number = UInt8(parts[0]), let kind = ObjectID.Kind(rawValue: number),
            let bytes = ObjectID(hex: parts[1])?.bytes
        else { return nil }
        return ObjectID(kind: kind, bytes: bytes)
    }
}

/// The preloads that have not ended, in a file beside the index. It is replaced as a whole, so a kill leaves the old one or the new
/// one; one that cannot be read is the same as none, since a preload is a convenience.
struct PreloadFile: Sendable {
    private let path: String

    init(_ path: String) {
        self.path = path
    }

    func read() -> [PreloadRequest] {
        guard let text = try? File.text(path, limit: 1 << 20) else { return [] }
        return (try? JSONDecoder().decode([PreloadRequest].self, from: Data(text.utf8))) ?? []
    }

    func write(_ requests: [PreloadRequest]) throws {
        try File.replace(path, with: Array(try JSONEncoder().encode(requests)), durable: false)
    }
}

/// What the status says of a preload.
struct PreloadReport: Codable, Sendable {
    enum State: String, Codable, Sendable {
        /// Others are before it.
        case queued
        case running
        /// The origin does not answer; it is tried again.
        case waiting
        case complete
        /// It has ended, and some of it could not be had.
        case incomplete
    }

    var request: PreloadRequest
    var state = State.queued
    var phase = PreloadPlan.Phase.tree
    var tally = PreloadTally()
    /// The whole tree, to the depth asked for, is in the index.
    var treeIsComplete = false
    /// Directories a second while the tree is walked, then bytes a second.
    var rate = 0.0
    /// Until the contents are here; nil where that is not known.
    var secondsLeft: UInt64?
    var milliseconds: UInt64 = 0
    /// What went wrong last.
    var cause: String?

    var hasEnded: Bool { state == .complete || state == .incomplete }
}
