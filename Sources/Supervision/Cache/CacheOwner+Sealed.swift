import CacheProtocol
import LinuxSystem

/// The sealed images that the owner makes.
extension CacheOwner {
    /// Image, data layer and inbox of a snapshot; nil if there is no image any more. Throws if the owner does not answer as it should.
    func sealed(_ snapshot: PinnedSnapshot) async throws(SupervisorError) -> ReceivedFDs? {
        let request = ControlRequest.sealed(
            origin: snapshot.origin, root: snapshot.root, commitTime: snapshot.commitTime)
        guard let channel else { return nil }
        do throws(ControlChannel.Failure) {
            let reply = try await channel.exchange(
                request.operation.rawValue, request.encode(), deadline: .after(Self.attachTimeout))
            return reply.fds.count == 3 ? reply.fds : nil
        } catch {
            throw Self.explain(error, request)
        }
    }
}
