import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem

/// What a later supervisor must know to go on with a mount; one file for each, in the run directory.
///
/// Written before anything is made and whenever the phase or the worker changes; removed after everything it names is gone. So whatever is
/// there of a mount has a record that names it, and says what is to become of it.
struct MountRecord: Codable, Hashable, Sendable {
    /// Records of another version are not read: the mount is cleaned up.
    static let version = 2

    /// What was intended with the mount when the record was written: always before the first thing that follows from it.
    enum Phase: String, Codable, Hashable, Sendable {
        /// No client has been told of it: taken back.
        case making
        case ready
        /// Another view has its place: kept for those who have it open.
        case retired
        /// A client wants it gone: finished.
        case unmounting
        /// Nothing is left of it but the reason, for the client.
        case failed
    }

    struct Process: Codable, Hashable, Sendable {
        var pid: Int32
        var startTime: UInt64

        init(_ identity: ProcessIdentity) {
            pid = identity.pid
            startTime = identity.startTime
        }

        var identity: ProcessIdentity {
            ProcessIdentity(pid: pid, startTime: startTime)
        }
    }

    /// `PinnedChange`.
    struct Change: Codable, Hashable, Sendable {
        var name: String
        /// Base64, as any bytes can be a path.
        var root: String
        var time: Int64
        var files: UInt32
        var tree: String?

        init(_ change: PinnedChange) {
            (name, root, time, files) = (
                change.name, Data(change.root).base64EncodedString(), change.time, change.files
            )
            tree = change.tree?.hex
        }

        /// Nil if the record is damaged.
        var change: PinnedChange? {
            guard let root = Data(base64Encoded: root) else { return nil }
            return PinnedChange(
                name: name, root: Array(root), time: time, files: files, tree: tree.flatMap { ObjectID(hex: $0) })
        }
    }

    var version = MountRecord.version
    var phase: Phase
    /// Why it is `failed`.
    var failure: String?
    var bootID: String
    /// Of the view.
    var id: String
    /// Of the mount; nil for its first view, which has the mount's.
    var mountID: String?
    /// The view whose place this one takes, or took.
    var replaces: String?
    /// Written right before the mount is attached: where it is not attached, no client has been told of it, and it is taken back.
    var isAttaching: Bool?
    /// Nothing may be written to it while another view is about to take its place.
    var isFrozen: Bool?
    /// Nanoseconds of CLOCK_MONOTONIC at which a retired view ends.
    var retiredUntil: UInt64?
    /// What is pinned instead of the request's revision.
    var pinnedCommit: String?
    var request: MountRequest
    var origin: String
    var mountpointRoot: String
    var mountpointName: String
    /// Components of the mountpoint that were made for it.
    var madeComponents: [String]
    /// The mountpoint was there before and is immutable while it is used.
    var isMountpointLocked: Bool?
    var uid: UInt32
    var gid: UInt32
    var createdAt: Int64
    var readyAfter: Double?
    var commit: String
    var commitTime: Int64
    var root: String
    var rootKind: UInt8
    var assurance: UInt8
    /// What a changelist did to the commit's tree.
    var change: Change?
    /// Unique mount id of the overlay; nil before it is attached.
    var mountIdentity: UInt64?
    /// Number of the FUSE connection, and what its session memory says it is; nil before there is one.
    var connection: UInt64?
    var personality: UInt64?
    var worker: Process?
    /// Name of the worker's control socket.
    var workerSocket: String?
    var restarts: Int
    /// The process that the mount is bound to.
    var client: Process?
    /// Nanoseconds of CLOCK_MONOTONIC, which goes on from one supervisor to the next.
    var leaseExpiresAt: UInt64?

    /// The mount that clients know, of which this is a view.
    var mount: MountID? {
        MountID(rawValue: mountID ?? id)
    }

    /// The snapshot the mount was made of; nil if the record is damaged.
    var snapshot: PinnedSnapshot? {
        guard let commit = ObjectID(hex: commit), let kind = ObjectID.Kind(rawValue: rootKind),
            let bytes = Data(base64Encoded: root), let root = ObjectID(kind: kind, bytes: bytes)
        else { return nil }
        let pinned = change?.change
        if change != nil, pinned == nil { return nil }
        return PinnedSnapshot(
            origin: origin, commit: commit, commitTime: commitTime, root: root,
            assurance: PinnedSnapshot.Assurance(rawValue: assurance), change: pinned)
    }
}
