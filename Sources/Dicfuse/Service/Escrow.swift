import CacheProtocol
import LinuxSystem

/// Copies of the descriptors of mounts, kept for a supervisor that dies together with a worker.
///
/// They are never read, written or mapped here. What a holder could do with them is in ARCHITECTURE.md, "Escrow".
final class Escrow: Sendable {
    struct Holding: Sendable {
        let device: SharedFD
        let session: SharedFD
    }

    /// Mounts for which something can be kept; two descriptors each, far below the limit of open files.
    static let limit = 4096

    private let holdings = Guarded<[String: Holding]>([:])

    /// Replaces what was kept for the mount.
    func deposit(_ holding: Holding, for mount: String) throws(CacheError) {
        let taken = holdings.with { holdings in
            guard holdings[mount] != nil || holdings.count < Self.limit else { return false }
            holdings[mount] = holding
            return true
        }
        if !taken { throw CacheError(.overloaded, "the escrow holds \(Self.limit) mounts already") }
    }

    func release(_ mount: String) {
        // Closed after the lock: the last copy of /dev/fuse ends its connection.
        _ = holdings.with { $0.removeValue(forKey: mount) }
    }

    func holding(_ mount: String) throws(CacheError) -> Holding {
        guard let holding = holdings.with({ $0[mount] }) else {
            throw CacheError(.notFound, "nothing is kept for mount \(mount)")
        }
        return holding
    }

    /// The mounts for which something is kept.
    var mounts: [String] {
        holdings.with { $0.keys.sorted() }
    }
}
