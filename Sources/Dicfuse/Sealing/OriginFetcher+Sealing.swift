import CacheProtocol
import GitObjects
import LinuxSystem

/// What sealing a snapshot lacks, fetched in the background: one request at a time, which waits for those that somebody waits for. It
/// joins no flight, so that no reader ever waits for it, but for pointers of Git LFS, which are looked into on the way.
extension OriginFetcher {
    /// Objects in one request.
    static let sealingBatch = 512

    /// Packed directories, or contents of small blobs, by id. Fails unless all come.
    nonisolated func fetchForSealing(
        _ wanted: [FrameReceiver.Wanted], _ name: String,
        _ done: @escaping @Sendable (Result<[ObjectID: [UInt8]], CacheError>) -> Void
    ) {
        // Nobody can want it: no flight leads to it.
        let urgency = Urgency()
        Task(executorPreference: thread) {
            let result: Result<[ObjectID: [UInt8]], CacheError>
            do throws(CacheError) {
                result = .success(try await self.fetchInBackground(wanted, name, urgency))
            } catch {
                result = .failure(error)
            }
            done(result)
        }
    }

    private func fetchInBackground(
        _ wanted: [FrameReceiver.Wanted], _ name: String, _ urgency: Urgency
    ) async throws(CacheError) -> [ObjectID: [UInt8]] {
        let result = await Self.$urgency.withValue(urgency) {
            do throws(CacheError) {
                return Result<[ObjectID: [UInt8]], CacheError>.success(try await self.fetch(wanted, name))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// What came. Belongs to the fetch thread.
    private final class Found {
        var objects: [ObjectID: [UInt8]] = [:]
        var failure: CacheError?
    }

    private func fetch(
        _ wanted: [FrameReceiver.Wanted], _ name: String
    ) async throws(CacheError) -> [ObjectID: [UInt8]] {
        guard let place = await batchPlace(name) else {
            throw CacheError(.unreachable, "origin \(self.name) does not give \(name) in batches")
        }
        await store.writer.room()
        let found = Found()
        let store = store
        let budget = thread.budget
        let call = OriginCall(
            path: "/antares/v1/\(name)", method: .post, body: wanted.flatMap { $0.id.bytes }, counter: .batchFetches,
            attempts: 2, place: place)
        let answered: Bool? = try await perform(
            call,
            receiver: {
                found.objects = [:]
                found.failure = nil
                return FrameReceiver(
                    wanted, objects: store.objects, budget: budget, known: { store.knownSize(of: $0) }
                ) { index, result in
                    switch result {
                    case .success(.tree(let bytes)), .success(.blob(.contents(let bytes))):
                        found.objects[wanted[index].id] = bytes
                    case .success:
                        found.failure = CacheError(.corrupt, "the origin has no \(wanted[index].id)")
                    case .failure(let error):
                        found.failure = error
                    }
                }
            }
        ) { (receiver, _) throws(CacheError) in
            try receiver.finish()
            return true
        }
        guard answered != nil else { throw CacheError(.unreachable, "no such extension") }
        if let failure = found.failure { throw failure }
        if name == "trees" {
            for (id, packed) in found.objects { found.objects[id] = try await followingPointers(packed) }
        }
        return found.objects
    }

    /// How long a pin waits for an image that is being made as a copy of another one.
    private static let copyPatience: Duration = .milliseconds(50)

    /// Has a snapshot sealed; whether it is. One whose image can be a copy, as that of a changelist or of the next commit, is waited for a
    /// moment: whoever pins it first is mostly the only one who ever mounts it.
    func seal(_ image: SealedImages.Key) async -> Bool {
        guard let sealer = store.sealer else { return false }
        sealer.request(image)
        if store.images.isOffered(image) { return true }
        let wait = Guarded<CheckedContinuation<Void, Never>?>(nil)
        let end = { @Sendable in
            let waiting = wait.with { waiting in
                defer { waiting = nil }
                return waiting
            }
            waiting?.resume()
        }
        await withCheckedContinuation { continuation in
            wait.with { $0 = continuation }
            guard sealer.whenCopied(image, end) else { return end() }
            Task(executorPreference: thread) {
                await self.sleep(until: .after(Self.copyPatience))
                end()
            }
        }
        return store.images.isOffered(image)
    }
}
