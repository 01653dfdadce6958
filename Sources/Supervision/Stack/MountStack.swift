import Glibc
import LinuxSystem
import WorkerProtocol

/// The blocking half of making and ending a mount, for `BlockingThreads`: each call is bounded by the system calls' own limits or by an abort
/// of the connection from outside.
struct MountStack: Sendable {
    /// A mount that is attached and visible.
    struct Attached: Sendable {
        let identity: MountIdentity
        let made: Mountpoint.Made
    }

    let uppers: UpperStore
    let id: MountID
    let mountpoint: Mountpoint
    let owner: Accounts.User

    var upper: UpperDirectory {
        uppers.directory(id)
    }

    /// Proves the lower, stacks the overlay on it and attaches it: the mount is complete before anybody can see it. If a step fails, what
    /// the earlier steps made is taken away again.
    func build(on lower: LowerMount, probeName: String) throws(SystemError) -> Attached {
        try lower.prove(probeName: probeName)
        try upper.create(uid: owner.uid, gid: owner.gid)
        var made = Mountpoint.Made()
        do throws(SystemError) {
            let overlay = try OverlayMount.make(lower: lower, upper: upper)
            let identity = try overlay.identity()
            let target = try mountpoint.prepare(made: &made)
            try overlay.attach(at: target.raw)
            return Attached(identity: identity, made: made)
        } catch {
            try? mountpoint.remove(made)
            try? uppers.discard(upper)
            throw error
        }
    }

    /// Unmounts plainly, again and again while it is busy, until `deadline`. True when it is unmounted.
    func unmountPlainly(_ identity: MountIdentity, until deadline: Deadline) throws(SystemError) -> Bool {
        // The kernel has no event for "no longer busy", so the question is repeated.
        var pause: UInt32 = 5_000
        while try identity.isAttached() {
            try checkUncovered(identity)
            do {
                try Mounts.unmount(mountpoint.path)
            } catch  where error.errno == .busy {
                if deadline.hasPassed { return false }
                usleep(pause)
                pause = min(pause * 2, 100_000)
            }
        }
        return true
    }

    /// Aborts the connection, which frees everybody who waits in it, then takes the mount out of the tree.
    func unmountByForce(_ identity: MountIdentity, _ custody: Custody) throws(SystemError) {
        try custody.abort()
        guard try identity.isAttached() else { return }
        try checkUncovered(identity)
        try Mounts.detach(mountpoint.path)
    }

    /// umount2(2) takes a path and would end whatever somebody else has mounted on top of ours.
    private func checkUncovered(_ identity: MountIdentity) throws(SystemError) {
        if try Mounts.top(mountpoint.path) != identity {
            throw SystemError(.busy, "umount2", mountpoint.path, detail: "another mount covers it; unmount that first")
        }
    }

    /// Takes away the mountpoint and the upper.
    func cleanUp(_ made: Mountpoint.Made) throws(SystemError) {
        try mountpoint.remove(made)
        try uppers.discard(upper)
    }
}
