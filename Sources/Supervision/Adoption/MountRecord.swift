import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem

/// What a later supervisor must know to go on with a mount; one file for each, in the run directory.
///
/// Written before the mount becomes visible and again when its worker changes; removed after everything it names is gone. So a mount that is
/// visible always has one, and one whose mount is not there names what is to be cleaned up.
struct MountRecord: Codable, Hashable, Sendable {
    /// Records of another version are not read: the mount is cleaned up.
    static let version = 1

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

    var version = MountRecord.version
    var bootID: String
    var id: String
    var request: MountRequest
    var origin: String
    var mountpointRoot: String
    var mountpointName: String
    /// Components of the mountpoint that were made for it.
    var madeComponents: [String]
    var uid: UInt32
    var gid: UInt32
    var createdAt: Int64
    var readyAfter: Double?
    var commit: String
    var commitTime: Int64
    var root: String
    var rootKind: UInt8
    var assurance: UInt8
    /// Unique mount id of the overlay; nil before it is attached.
    var mountIdentity: UInt64?
    var worker: Process?
    /// Name of the worker's control socket.
    var workerSocket: String?
    var restarts: Int

    /// The snapshot the mount was made of; nil if the record is damaged.
    var snapshot: PinnedSnapshot? {
        guard let commit = ObjectID(hex: commit), let kind = ObjectID.Kind(rawValue: rootKind),
            let bytes = Data(base64Encoded: root), let root = ObjectID(kind: kind, bytes: bytes)
        else { return nil }
        return PinnedSnapshot(
            origin: origin, commit: commit, commitTime: commitTime, root: root,
            assurance: PinnedSnapshot.Assurance(rawValue: assurance))
    }
}
