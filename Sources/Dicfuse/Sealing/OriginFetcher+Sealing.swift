import CacheProtocol
import GitObjects

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
}
