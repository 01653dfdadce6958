import CacheProtocol
import LinuxSystem
import WorkerProtocol

/// The copies of mounts' descriptors that the owner keeps for a later supervisor.
extension CacheOwner {
    /// Time for the owner to hand out what it keeps.
    static let reclaimTimeout: Duration = .seconds(2)

    /// Has the owner, and every later one, keep copies of a mount's descriptors until `release`. Does not wait for an answer: as soon as the
    /// message is in the owner's queue, this process may die.
    func deposit(_ id: MountID, _ custody: Custody, image: ImageReference?) {
        deposits[id] = (custody, image)
        send(id, custody, image)
    }

    func release(_ id: MountID) {
        deposits[id] = nil
        let request = ControlRequest.release(mount: id.rawValue)
        // An owner that is gone keeps nothing.
        try? channel?.post(request.operation.rawValue, request.encode())
    }

    /// What the owner keeps for a mount: /dev/fuse and the session memory. Throws ENODATA if it keeps nothing or does not answer.
    func reclaim(_ id: MountID) async throws(SystemError) -> ReceivedFDs {
        let request = ControlRequest.reclaim(mount: id.rawValue)
        guard let channel else { throw SystemError(.noData, "asking the cache owner", "", detail: "there is none") }
        do throws(ControlChannel.Failure) {
            let reply = try await channel.exchange(
                request.operation.rawValue, request.encode(), deadline: .after(Self.reclaimTimeout))
            guard reply.fds.count == 2 else { throw .closed("\(reply.fds.count) descriptors instead of 2") }
            return reply.fds
        } catch .refused {
            throw SystemError(.noData, "asking the cache owner", "", detail: "it keeps nothing")
        } catch {
            throw SystemError(.noData, "asking the cache owner", "", detail: "\(Self.explain(error, request).message)")
        }
    }

    /// Gives a new owner what the last one kept.
    func depositAgain() {
        for (id, (custody, image)) in deposits { send(id, custody, image) }
    }

    /// Has the owner close what belongs to no mount of this supervisor.
    func releaseAll(except kept: Set<MountID>) async {
        guard let reply = try? await ask(.holdings, deadline: .after(Self.reclaimTimeout)),
            case .holdings(let mounts) = reply
        else { return }
        for mount in mounts {
            guard let id = MountID(rawValue: mount), !kept.contains(id), deposits[id] == nil else { continue }
            release(id)
        }
    }

    private func send(_ id: MountID, _ custody: Custody, _ image: ImageReference?) {
        let request = ControlRequest.deposit(mount: id.rawValue, image: image)
        do throws(SystemError) {
            try channel?.post(
                request.operation.rawValue, request.encode(), fds: [custody.raw, custody.memory.fd.raw])
        } catch {
            log.log(
                .warning, "the cache owner takes no copies of a mount's descriptors",
                [("mount", id.rawValue), ("error", error.description)])
        }
    }
}
