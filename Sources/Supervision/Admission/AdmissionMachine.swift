/// Decides whether a further mount is taken in, without any I/O.
struct AdmissionMachine: Hashable, Sendable {
    struct Limits: Hashable, Sendable {
        /// Mounts in all, and of one user; nil: as many as fit.
        var mounts: Int?
        var mountsPerUser: Int?
        /// Requests that may wait for a place at the same time.
        var queue = 0
        /// Least free bytes and inodes of the filesystem of the uppers, and bytes of memory; 0 switches a check off.
        var freeBytes: UInt64 = 0
        var freeInodes: UInt64 = 0
        var freeMemory: UInt64 = 0
    }

    /// What the machine has left; nil where it cannot be told.
    struct Room: Hashable, Sendable {
        var bytes: UInt64?
        var inodes: UInt64?
        var memory: UInt64?
    }

    enum Decision: Hashable, Sendable {
        case admit
        /// There is no place now; one becomes free when a mount ends.
        case wait
        case refuse(reason: String, retryAfter: Int)
    }

    var limits: Limits
    var isDraining = false

    init(_ limits: Limits) {
        self.limits = limits
    }

    /// - Parameters:
    ///   - mounts: those that exist or are being made; `ofUser` of them are the caller's.
    ///   - waiting: requests in the queue, without this one.
    func decide(mounts: Int, ofUser: Int, waiting: Int, room: Room) -> Decision {
        if isDraining { return .refuse(reason: "the supervisor is being drained for maintenance", retryAfter: 60) }
        if let bytes = room.bytes, bytes < limits.freeBytes {
            return .refuse(reason: "the disk of the uppers has only \(bytes >> 20) MiB left", retryAfter: 30)
        }
        if let inodes = room.inodes, inodes < limits.freeInodes {
            return .refuse(reason: "the disk of the uppers has only \(inodes) inodes left", retryAfter: 30)
        }
        if let memory = room.memory, memory < limits.freeMemory {
            return .refuse(reason: "the machine has only \(memory >> 20) MiB of memory left", retryAfter: 10)
        }
        let full: String
        if let limit = limits.mounts, mounts >= limit {
            full = "there are \(mounts) mounts, the most that are allowed"
        } else if let limit = limits.mountsPerUser, ofUser >= limit {
            full = "this user has \(ofUser) mounts, the most that are allowed"
        } else {
            return .admit
        }
        return waiting < limits.queue ? .wait : .refuse(reason: full, retryAfter: 5)
    }
}
