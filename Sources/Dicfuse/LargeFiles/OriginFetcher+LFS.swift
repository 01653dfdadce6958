import CacheProtocol
import GitObjects
import LinuxSystem

/// Files of Git LFS: the server is asked where one is, then that is fetched and verified as a blob is.
///
/// The addresses are the server's to choose, so what is asked there counts for no place of the origin, and its credentials go to the origin's own
/// servers only.
extension OriginFetcher {
    private static let mediaType = "application/vnd.git-lfs+json"
    private static let answerLimit = 64 << 10
    /// An address that was good for a moment only is asked for once more.
    private static let lookups = 2

    func getLFSFile(_ id: ObjectID, size: UInt64?) async throws(CacheError) -> FlightValue {
        guard let server = lfsBase else {
            throw CacheError(
                .corrupt, "a tree names the LFS file \(id), but origin \(name) has no `lfs` server any more")
        }
        guard let size = size ?? store.knownSize(of: id) else {
            throw CacheError(.internalFailure, "LFS file \(id) has no size")
        }
        for _ in 0..<Self.lookups {
            let location = try await locate(id, size, server)
            let objects = store.objects
            let found = try await ask(
                OriginCall(path: "", headers: location.headers, counter: .lfsFetches),
                at: location.reachable(from: server),
                receiver: { BlobReceiver(id, size: size, store: objects, memoryLimit: WorkerReply.inlineBlobLimit) }
            ) { (receiver, _) throws(CacheError) in
                try receiver.finish()
            }
            if let found { return found }
        }
        throw missing(id)
    }

    private func locate(_ id: ObjectID, _ size: UInt64, _ server: String) async throws(CacheError) -> LFSLocation {
        let call = OriginCall(
            path: "/objects/batch", method: .post, body: LFSLocation.question(id, size: size),
            headers: ["Accept: \(Self.mediaType)", "Content-Type: \(Self.mediaType)"], counter: .lfsQuestions)
        let budget = thread.budget
        do throws(CacheError) {
            let found = try await ask(
                call, at: server, receiver: { MemoryReceiver(limit: Self.answerLimit, budget: budget) }
            ) { (receiver, _) throws(CacheError) in try LFSLocation.parse(receiver.bytes, id) }
            guard let found else {
                throw CacheError(
                    .unreachable,
                    "\(server) is no LFS server: check `lfs` of origin \(name) (it answers /objects/batch with 404)")
            }
            return found
        } catch  where error.code == .notFound {
            throw missing(id)
        }
    }

    private func missing(_ id: ObjectID) -> CacheError {
        CacheError(.corrupt, "the LFS server of origin \(name) has no file \(id), though a pointer names it")
    }

    /// As `perform`, of one address. Nil if there is no such thing.
    private func ask<Receiver: BodyReceiver, Value>(
        _ call: OriginCall, at address: String, receiver makeReceiver: () -> Receiver,
        _ finish: (Receiver, UInt64?) throws(CacheError) -> Value
    ) async throws(CacheError) -> Value? {
        let isPaced = await takePace()
        defer { if isPaced { givePace() } }
        var call = call
        call.isForeign = !bases.contains { LFSLocation.areSameServer($0, address) }
        let hasOwn = call.headers.contains { $0.lowercased().hasPrefix("authorization:") }
        let end = Deadline.after(configuration.requestTimeout)
        var attempt = 0
        while true {
            let authorization = call.isForeign || hasOwn ? nil : try authorization()
            let receiver = makeReceiver()
            counters.add(call.counter)
            let began = Deadline.now
            let (outcome, bytes) = await transfer(
                call, at: address, receiver, authorization, patience: configuration.requestTimeout)
            if isPaced { pace.limit.charge(bytes, since: began) }
            switch verdict(outcome, receiver, call, at: address, finish) {
            case .success(let value): return value
            case .absent: return nil
            case .final(let error): throw error
            case .retry(let error, let failure, let pause):
                attempt += 1
                let wait = max(Self.backoff(attempt), pause ?? .zero)
                guard attempt < call.attempts, Deadline.after(wait) < end else { throw error }
                counters.add(.retries)
                figures.retry(after: failure)
                await sleep(until: .after(wait))
            }
        }
    }
}
