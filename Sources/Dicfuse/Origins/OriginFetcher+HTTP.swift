import CacheProtocol
import GitObjects
import LinuxSystem

/// Which place answered. Belongs to the fetch thread.
final class Answerer {
    var place: Int?
}

/// What is asked of an origin, whichever place answers.
struct OriginCall: Sendable {
    /// Behind the place's address, with a slash.
    var path: String
    var method = TransferRequest.Method.get
    var body: [UInt8] = []
    /// `Name: value`, without anything that would end a line.
    var headers: [String] = []
    var counter: Counter
    /// Attempts in all.
    var attempts = OriginFetcher.attempts
    /// This place and no other.
    var place: Int?
    /// To a server that is none of the origin's places: neither token nor client certificate are for it.
    var isForeign = false
    /// Nobody waits for it; of a flight its urgency says that.
    var isBackground = false
    /// HTTP 500 is the answer to this question, not a failure that may pass.
    var serverErrorIsFinal = false
}

extension OriginFetcher {
    static let attempts = 4
    /// With another place to ask, a silent one is given up after this.
    static let patienceWithMirrors = Duration.seconds(2)

    /// The body of a GET, read by `finish`; nil if the origin says that there is no such thing. An answer that `finish` finds
    /// corrupt is asked for again.
    func get<Value>(
        _ call: OriginCall, limit: Int, noting answerer: Answerer? = nil,
        _ finish: ([UInt8]) throws(CacheError) -> Value
    ) async throws(CacheError) -> Value? {
        let budget = thread.budget
        return try await perform(call, noting: answerer, receiver: { MemoryReceiver(limit: limit, budget: budget) }) {
            (receiver, _) throws(CacheError) in try finish(receiver.bytes)
        }
    }

    /// A verified blob of `size` bytes, if that is known.
    func getBlob(_ id: ObjectID, size: UInt64?) async throws(CacheError) -> FlightValue {
        let objects = store.objects
        let value = try await perform(
            OriginCall(path: "/api/v1/file/blob/\(id.hex)", counter: .blobFetches),
            receiver: { BlobReceiver(id, size: size, store: objects, memoryLimit: WorkerReply.inlineBlobLimit) }
        ) { (receiver, _) throws(CacheError) in
            try receiver.finish()
        }
        guard let value else { throw missing(id) }
        return value
    }

    /// The size the origin gives for a blob, or nil if it does not say.
    func getSize(_ id: ObjectID) async throws(CacheError) -> UInt64? {
        let budget = thread.budget
        let length = try await perform(
            OriginCall(path: "/api/v1/file/blob/\(id.hex)", method: .head, counter: .sizeFetches),
            receiver: { MemoryReceiver(limit: 0, budget: budget) }
        ) { (_, length) throws(CacheError) in length }
        guard let length else { throw missing(id) }
        return length
    }

    private func missing(_ id: ObjectID) -> CacheError {
        CacheError(.corrupt, "origin \(name) has no blob \(id), though a tree names it")
    }

    enum Verdict<Value> {
        case success(Value)
        case absent
        case final(CacheError)
        /// Another attempt may succeed.
        case retry(CacheError, PlaceFailure?, pause: Duration?)
    }

    /// Asks place after place until one answers, in bounded time: a place is tried again only after a pause, and no attempt
    /// begins after `requestTimeout`.
    func perform<Receiver: BodyReceiver, Value>(
        _ call: OriginCall, noting answerer: Answerer? = nil, receiver makeReceiver: () -> Receiver,
        _ finish: (Receiver, UInt64?) throws(CacheError) -> Value
    ) async throws(CacheError) -> Value? {
        let isPaced = await takePace()
        defer { if isPaced { givePace() } }
        let end = Deadline.after(configuration.requestTimeout)
        var attempt = 0
        var tried = Set<Int>()
        var denied = Set<Int>()
        var last: CacheError?
        while true {
            let authorization = try authorization()
            let place: Int
            switch await choosePlace(call, &tried, denied, end) {
            case .place(let index): place = index
            case .offline(let since): throw last ?? offline(since)
            case .wait, .exhausted: throw last ?? CacheError(.timedOut, "origin \(name) asks for patience")
            }
            let receiver = makeReceiver()
            counters.add(call.counter)
            answerer?.place = place
            let hasOthers = call.place == nil && bases.count > tried.count + 1
            let whole = configuration.requestTimeout
            let began = Deadline.now
            let (outcome, bytes) = await transfer(
                call, at: bases[place], receiver, authorization,
                patience: hasOthers ? min(Self.patienceWithMirrors, whole) : whole)
            if isPaced { pace.limit.charge(bytes, since: began) }
            switch verdict(outcome, receiver, call, at: bases[place], finish) {
            case .success(let value):
                answered(place, bytes, since: began)
                return value
            case .absent:
                answered(place, bytes, since: began)
                denied.insert(place)
                // A mirror may lag behind: what it does not have the others may. The first place knows all.
                guard place != 0, call.place == nil, denied.count < bases.count else { return nil }
                tried.insert(place)
            case .final(let error):
                answered(place, bytes, since: began)
                throw error
            case .retry(let error, let failure, let pause):
                if let failure { failed(place, failure, bytes, pause) }
                last = error
                attempt += 1
                tried.insert(place)
                guard attempt < max(call.attempts, call.place == nil ? bases.count : 1) else { throw error }
                counters.add(.retries)
                figures.retry(after: failure)
                // A mirror is tried at once, the same place only after a pause.
                guard tried.count >= bases.count || call.place != nil else { continue }
                let wait = max(Self.backoff(attempt), pause ?? .zero)
                guard Deadline.after(wait) < end else { throw error }
                await sleep(until: .after(wait))
            }
        }
    }

    /// Waits until a place may be asked, no longer than `end`.
    private func choosePlace(
        _ call: OriginCall, _ tried: inout Set<Int>, _ denied: Set<Int>, _ end: Deadline
    ) async -> PlaceTable.Choice {
        while true {
            let others = call.place.map { wanted in Set(bases.indices.filter { $0 != wanted }) }
            let avoided = others ?? tried
            let choice = places.with { $0.choose(.now, tried: avoided) }
            switch choice {
            case .exhausted where tried != denied && call.place == nil:
                tried = denied
            case .wait(let moment) where moment < end && !thread.isStopping:
                await sleep(until: moment)
            default:
                return choice
            }
        }
    }

    private func offline(_ since: Deadline) -> CacheError {
        counters.add(.offlineRefusals)
        return CacheError(
            .unreachable,
            "origin \(name) (\(bases.joined(separator: ", "))) is offline for \(Deadline.now.seconds(since: since)) s; "
                + "it is looked at again every few seconds")
    }

    /// One attempt; `patience` is how long it may go on without a byte.
    func transfer(
        _ call: OriginCall, at base: String, _ receiver: any BodyReceiver, _ authorization: String?, patience: Duration
    ) async -> (TransferOutcome, bytes: UInt64) {
        let urgency = Self.urgency
        let isBackground = urgency?.isBackground ?? call.isBackground
        let limit = configuration.preloadRate
        let request = TransferRequest(
            url: base + call.path, method: call.method, body: call.body, headers: call.headers,
            authorization: authorization,
            access: call.isForeign ? access.withoutCertificate : access, connectTimeout: configuration.connectTimeout,
            progressTimeout: patience,
            minimumRate: isBackground && limit > 0
                ? max(1, min(configuration.minimumRate, limit / 2)) : configuration.minimumRate,
            isBackground: isBackground, urgency: isBackground ? urgency : nil, maximumRate: isBackground ? limit : 0)
        let began = Deadline.now
        let result = await withCheckedContinuation { continuation in
            thread.start(
                Transfer(request, receiver: receiver) { [counters] transfer, outcome in
                    counters.add(.bytesFetched, transfer.received)
                    continuation.resume(returning: (outcome, transfer.received))
                })
        }
        let took = Deadline.now.since(began)
        figures.note(took)
        noteIfSlow(call, base, result.1, took)
        return result
    }

    /// What an attempt has come to.
    func verdict<Receiver: BodyReceiver, Value>(
        _ outcome: TransferOutcome, _ receiver: Receiver, _ call: OriginCall, at base: String,
        _ finish: (Receiver, UInt64?) throws(CacheError) -> Value
    ) -> Verdict<Value> {
        let path = call.path
        switch outcome {
        case .response(200..<300, let length, _, _):
            do throws(CacheError) {
                return .success(try finish(receiver, length))
            } catch  where error.code == .corrupt {
                return corrupt(error, path, at: base)
            } catch {
                return .final(error)
            }
        case .response(400, _, _, _), .response(404, _, _, _), .response(410, _, _, _):
            return .absent
        case .response(let status, _, _, _) where status == 401 || status == 403:
            return .final(
                CacheError(
                    .unauthorized, "origin \(name) wants other credentials (HTTP \(status)): check its token_file"))
        case .response(407, _, _, _):
            return .final(
                CacheError(.unauthorized, "the proxy of origin \(name) wants credentials (HTTP 407): check its proxy"))
        case .response(let status, _, let pause, let body):
            let text = String(decoding: body.prefix(200), as: UTF8.self)
            let error = CacheError(.unreachable, "origin \(name) answers \(path) with HTTP \(status) \(text)")
            switch status {
            case 500 where call.serverErrorIsFinal: return .final(error)
            case 429: return .retry(error, .throttled, pause: pause)
            case 503 where pause != nil: return .retry(error, .throttled, pause: pause)
            // A redirect is not followed: it would carry the token to whoever it names.
            case 300..<400, 408, 500...: return .retry(error, .serverError, pause: pause)
            default: return .final(error)
            }
        case .unreachable(let text):
            return .retry(
                CacheError(.unreachable, "origin \(name) (\(base)) cannot be reached: \(text)"), .unreachable,
                pause: nil)
        case .interrupted(let text):
            return .retry(
                CacheError(.unreachable, "origin \(name) broke off \(path): \(text)"), .interrupted, pause: nil)
        case .stalled(let text):
            return .retry(
                CacheError(.timedOut, "origin \(name) does not answer \(path): \(text)"), .timedOut, pause: nil)
        case .rejected(let error) where error.code == .corrupt:
            return corrupt(error, path, at: base)
        case .rejected(let error) where error.code == .overloaded:
            return .retry(error, nil, pause: nil)
        case .rejected(let error):
            return .final(error)
        }
    }

    private func corrupt<Value>(_ error: CacheError, _ path: String, at base: String) -> Verdict<Value> {
        noteCorrupt(error, path, at: base)
        return .retry(error, .corrupt, pause: nil)
    }

    func noteCorrupt(_ error: CacheError, _ path: String, at base: String) {
        counters.add(.verifyFailures)
        log.warning("answer-corrupt", ["origin": name, "place": base, "path": path, "cause": error.message])
    }

    // MARK: The health of places

    /// However it ended: what waited for it waited so long.
    private func noteIfSlow(_ call: OriginCall, _ base: String, _ bytes: UInt64, _ duration: Duration) {
        let limit = thread.slowMilliseconds
        let took = duration.nanoseconds / 1_000_000
        guard limit > 0, took > limit else { return }
        counters.add(.slowFetches)
        log.warning(
            "slow-fetch",
            [
                "origin": name, "place": base, "path": String(call.path.prefix(200)), "bytes": "\(bytes)",
                "milliseconds": "\(took)", "limit": "\(limit)",
            ])
    }

    private func answered(_ place: Int, _ bytes: UInt64, since began: Deadline) {
        let took = Duration.nanoseconds(Int64(clamping: Deadline.now.nanoseconds - began.nanoseconds))
        report(places.with { $0.succeeded(place, bytes: bytes, took: took) })
    }

    func failed(_ place: Int, _ failure: PlaceFailure, _ bytes: UInt64 = 0, _ pause: Duration? = nil) {
        if failure.isOutage { forgetCapabilities(of: place) }
        let chance = Double.random(in: 0...1)
        report(
            places.with {
                $0.failed(place, failure, bytes: bytes, pause: pause, now: .now, chance: chance)
            })
    }

    private func report(_ changes: [PlaceTable.Change]) {
        for change in changes {
            switch change {
            case .placeFailed(let place): log.warning("place-failed", ["origin": name, "place": bases[place]])
            case .placeRecovered(let place): log.info("place-recovered", ["origin": name, "place": bases[place]])
            case .offline:
                counters.add(.outages)
                log.error("origin-offline", ["origin": name, "serving": "what is cached"])
            case .online: log.info("origin-online", ["origin": name])
            }
        }
    }

    // MARK: Access

    /// Read each time: a token that is replaced is used at once.
    func authorization() throws(CacheError) -> String? {
        guard let file = origin.tokenFile else { return nil }
        let text: String
        do throws(SystemError) {
            text = try File.text(file, limit: 16 * 1024)
        } catch {
            log.error("token-unreadable", ["origin": name, "file": file, "cause": "\(error.errno)"])
            throw CacheError(.unauthorized, "origin \(name): its token_file \(file) cannot be read: \(error.errno)")
        }
        let token = text.split(whereSeparator: \.isWhitespace).first ?? ""
        // RFC 6750 allows less, but nothing that could end the header.
        guard !token.isEmpty, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CacheError(.unauthorized, "origin \(name): its token_file \(file) holds no token")
        }
        return "Bearer \(token)"
    }

    func sleep(until deadline: Deadline) async {
        await withCheckedContinuation { thread.resume($0, at: deadline) }
    }

    /// 50, 100, 200 … milliseconds, each between half and all of it by chance, so that those who failed together do not come
    /// back together.
    static func backoff(_ attempt: Int) -> Duration {
        let full = 50 << min(attempt - 1, 6)
        return .milliseconds(Int.random(in: full / 2...full))
    }
}
