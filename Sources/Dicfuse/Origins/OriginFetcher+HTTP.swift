import CacheProtocol
import GitObjects
import LinuxSystem

extension OriginFetcher {
    static let attempts = 4

    /// The body of a GET, read by `finish`; nil if the origin says that there is no such thing. An answer that `finish` finds
    /// corrupt is asked for again.
    func get<Value>(
        _ path: String, counting counter: Counter, limit: Int,
        _ finish: ([UInt8]) throws(CacheError) -> Value
    ) async throws(CacheError) -> Value? {
        try await perform(path, .get, counting: counter, receiver: { MemoryReceiver(limit: limit) }) {
            (receiver, _) throws(CacheError) in try finish(receiver.bytes)
        }
    }

    /// A verified blob of `size` bytes, if that is known.
    func getBlob(_ id: ObjectID, size: UInt64?) async throws(CacheError) -> FlightValue {
        let objects = store.objects
        let value = try await perform(
            "/api/v1/file/blob/\(id.hex)", .get, counting: .blobFetches,
            receiver: { BlobReceiver(id, size: size, store: objects, memoryLimit: WorkerReply.inlineBlobLimit) }
        ) { (receiver, _) throws(CacheError) in
            try receiver.finish()
        }
        guard let value else { throw missing(id) }
        return value
    }

    /// The size the origin gives for a blob, or nil if it does not say.
    func getSize(_ id: ObjectID) async throws(CacheError) -> UInt64? {
        let length = try await perform(
            "/api/v1/file/blob/\(id.hex)", .head, counting: .sizeFetches, receiver: { MemoryReceiver(limit: 0) }
        ) { (_, length) throws(CacheError) in length }
        guard let length else { throw missing(id) }
        return length
    }

    private func missing(_ id: ObjectID) -> CacheError {
        CacheError(.corrupt, "origin \(name) has no blob \(id), though a tree names it")
    }

    private enum Verdict<Value> {
        case success(Value)
        case absent
        case final(CacheError)
        /// Another attempt may succeed, not before the pause the origin asked for.
        case retry(CacheError, pause: Duration?)
    }

    private func perform<Receiver: BodyReceiver, Value>(
        _ path: String, _ method: TransferRequest.Method, counting counter: Counter,
        receiver makeReceiver: () -> Receiver,
        _ finish: (Receiver, UInt64?) throws(CacheError) -> Value
    ) async throws(CacheError) -> Value? {
        let end = Deadline.after(configuration.requestTimeout)
        var attempt = 0
        while true {
            let base = (preferred + attempt) % bases.count
            let receiver = makeReceiver()
            counters.add(counter)
            let outcome = await transfer(bases[base] + path, method, receiver)
            switch verdict(outcome, receiver, path, finish) {
            case .success(let value):
                preferred = base
                return value
            case .absent:
                return nil
            case .final(let error):
                throw error
            case .retry(let error, let pause):
                attempt += 1
                let wait = max(Self.backoff(attempt), pause ?? .zero)
                // A mirror is tried at once, the same place only after a pause.
                let isSamePlace = attempt >= bases.count
                guard attempt < max(Self.attempts, bases.count), Deadline.after(isSamePlace ? wait : .zero) < end else {
                    throw error
                }
                counters.add(.retries)
                if isSamePlace { await sleep(wait) }
            }
        }
    }

    private func transfer(
        _ url: String, _ method: TransferRequest.Method, _ receiver: any BodyReceiver
    ) async -> TransferOutcome {
        let request = TransferRequest(
            url: url, method: method, authorization: authorization(), caFile: origin.caFile,
            connectTimeout: configuration.connectTimeout, progressTimeout: configuration.requestTimeout,
            minimumRate: configuration.minimumRate)
        return await withCheckedContinuation { continuation in
            thread.start(
                Transfer(request, receiver: receiver) { [counters] transfer, outcome in
                    counters.add(.bytesFetched, transfer.received)
                    continuation.resume(returning: outcome)
                })
        }
    }

    private func verdict<Receiver: BodyReceiver, Value>(
        _ outcome: TransferOutcome, _ receiver: Receiver, _ path: String,
        _ finish: (Receiver, UInt64?) throws(CacheError) -> Value
    ) -> Verdict<Value> {
        switch outcome {
        case .response(200..<300, let length, _, _):
            do throws(CacheError) {
                return .success(try finish(receiver, length))
            } catch  where error.code == .corrupt {
                counters.add(.verifyFailures)
                log.warning("answer-corrupt", ["origin": name, "path": path, "cause": error.message])
                return .retry(error, pause: nil)
            } catch {
                return .final(error)
            }
        case .response(400, _, _, _), .response(404, _, _, _), .response(410, _, _, _):
            return .absent
        case .response(let status, _, _, _) where status == 401 || status == 403:
            return .final(
                CacheError(
                    .unauthorized, "origin \(name) wants other credentials (HTTP \(status)): check its token_file"))
        case .response(let status, _, let pause, let body):
            let text = String(decoding: body.prefix(200), as: UTF8.self)
            let error = CacheError(.unreachable, "origin \(name) answers \(path) with HTTP \(status) \(text)")
            return status >= 500 || status == 429 || status == 408 ? .retry(error, pause: pause) : .final(error)
        case .unreachable(let text):
            let places = bases.joined(separator: ", ")
            return .retry(CacheError(.unreachable, "origin \(name) (\(places)) cannot be reached: \(text)"), pause: nil)
        case .interrupted(let text):
            return .retry(CacheError(.unreachable, "origin \(name) broke off \(path): \(text)"), pause: nil)
        case .stalled(let text):
            return .retry(CacheError(.timedOut, "origin \(name) does not answer \(path): \(text)"), pause: nil)
        case .rejected(let error) where error.code == .corrupt:
            counters.add(.verifyFailures)
            return .retry(error, pause: nil)
        case .rejected(let error):
            return .final(error)
        }
    }

    /// Read each time: a token that is replaced is used at once.
    private func authorization() -> String? {
        guard let file = origin.tokenFile else { return nil }
        guard let text = try? File.text(file, limit: 16 * 1024) else {
            log.error("token-unreadable", ["origin": name, "file": file])
            return nil
        }
        let token = text.split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        return "Bearer \(token)"
    }

    private func sleep(_ duration: Duration) async {
        let deadline = Deadline.after(duration)
        await withCheckedContinuation { thread.resume($0, at: deadline) }
    }

    /// 50, 100, 200 … milliseconds, each between half and all of it by chance, so that those who failed together do not come
    /// back together.
    static func backoff(_ attempt: Int) -> Duration {
        let full = 50 << min(attempt - 1, 6)
        return .milliseconds(Int.random(in: full / 2...full))
    }
}
