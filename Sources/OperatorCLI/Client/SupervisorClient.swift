import FoundationEssentials
import Glibc
import LinuxSystem

/// The supervisor's API for the commands: typed requests, errors with an exit code and advice.
struct SupervisorClient {
    /// An answer, decoded and as it came.
    struct Answer<Value> {
        let value: Value
        let json: [UInt8]
    }

    let address: SupervisorAddress
    /// Seconds that one request may take.
    let timeout: Int

    func create(_ request: MountRequest) throws(CLIError) -> Answer<MountReport> {
        guard let body = try? JSONEncoder().encode(request) else {
            throw CLIError(.internalError, "the request cannot be encoded")
        }
        return try decoded(send("POST", "/mounts", body: Array(body)))
    }

    func mounts() throws(CLIError) -> Answer<MountList> {
        try decoded(send("GET", "/mounts"))
    }

    func health() throws(CLIError) -> Answer<HealthReport> {
        try decoded(send("GET", "/antares/health"))
    }

    func status() throws(CLIError) -> Answer<StatusReport> {
        try decoded(send("GET", "/status"))
    }

    /// The last lines of the log; a job's mount is meant by its id, too.
    func logs(about name: String?, lines: Int, level: String?) throws(CLIError) -> Answer<LogReport> {
        var query = "?lines=\(lines)"
        if let level { query += "&level=\(Self.percentEncoded(level))" }
        if let name { query += "&mount=\(Self.percentEncoded((try? mount(name).value.id) ?? name))" }
        return try decoded(send("GET", "/logs" + query))
    }

    /// The configuration in force, TOML.
    func configuration() throws(CLIError) -> [UInt8] {
        try send("GET", "/config")
    }

    /// An answer as it comes, for a report.
    func raw(_ path: String) throws(CLIError) -> [UInt8] {
        try send("GET", path)
    }

    func cache() throws(CLIError) -> Answer<CacheReport> {
        try decoded(send("GET", "/cache"))
    }

    func collectCache(target: UInt64?) throws(CLIError) {
        let body = target.map { Array("{\"target_bytes\":\($0)}".utf8) }
        _ = try send("POST", "/cache/gc", body: body)
    }

    /// The number of the sweep.
    func verifyCache() throws(CLIError) -> UInt64 {
        let answer: Answer<VerificationReport> = try decoded(send("POST", "/cache/verify"))
        return answer.value.sweep
    }

    func prefetch(_ request: PrefetchCommandRequest) throws(CLIError) -> Answer<PrefetchReport> {
        guard let body = try? JSONEncoder().encode(request) else {
            throw CLIError(.internalError, "the request cannot be encoded")
        }
        return try decoded(send("POST", "/cache/prefetch", body: Array(body)))
    }

    /// The mount of a job, or with an id.
    func mount(_ name: String) throws(CLIError) -> Answer<MountReport> {
        try found(name) { (path) throws(CLIError) in try decoded(send("GET", path)) }
    }

    /// The mount of a job; nil if it has none.
    func mount(job: String) throws(CLIError) -> MountReport? {
        do throws(CLIError) {
            let answer: Answer<MountReport> = try decoded(send("GET", Self.path(job: job)))
            return answer.value
        } catch  where error.exit == .notFound {
            return nil
        }
    }

    func remove(_ name: String, force: Bool = false, kill: Bool = false) throws(CLIError) -> Answer<MountReport> {
        let options = [force ? "force=true" : nil, kill ? "kill=true" : nil].compactMap { $0 }.joined(separator: "&")
        return try found(name) { (path) throws(CLIError) in
            try decoded(send("DELETE", options.isEmpty ? path : path + "?" + options))
        }
    }

    func renew(_ id: String, ttl: Int?) throws(CLIError) -> Answer<MountReport> {
        try decoded(send("POST", "/mounts/\(id)/renew", body: ttl.map { Array("{\"ttl\":\($0)}".utf8) }))
    }

    /// What the job of a mount wrote, all of it.
    func difference(_ id: String) throws(CLIError) -> Answer<DifferenceReport> {
        try decoded(send("GET", "/mounts/\(id)/diff?limit=1000000"))
    }

    func drain(_ on: Bool) throws(CLIError) -> [UInt8] {
        try send(on ? "POST" : "DELETE", "/drain")
    }

    /// Exchanges the changelist of a mount; without a name it takes it away.
    func exchange(_ name: String, _ request: SwitchCommandRequest) throws(CLIError) -> Answer<MountReport> {
        guard let body = try? JSONEncoder().encode(request) else {
            throw CLIError(.internalError, "the request cannot be encoded")
        }
        let id = try mount(name).value.id
        return try decoded(send(request.changelist == nil ? "DELETE" : "POST", "/mounts/\(id)/cl", body: Array(body)))
    }

    /// Gives a mount a new worker.
    func reset(_ name: String) throws(CLIError) -> Answer<MountReport> {
        let id = try mount(name).value.id
        return try decoded(send("POST", "/mounts/\(id)/reset"))
    }

    /// Calls `body` with the JSON of each event; with `follow` until the supervisor ends.
    func events(after: UInt64?, follow: Bool, _ body: @escaping ([UInt8]) -> Void) throws(CLIError) {
        var query = "?follow=\(follow)"
        if let after { query += "&after=\(after)" }
        // A stream may be silent for long; a supervisor that does not answer is found out before.
        if follow { _ = try send("GET", "/antares/health") }
        var lines = EventLines()
        let consume: (([UInt8]) -> Void)? =
            follow ? { bytes in for data in lines.take(bytes) { body(data) } } : nil
        let answer = try send("GET", "/events" + query, consume: consume)
        if !follow { for data in lines.take(answer) { body(data) } }
    }

    /// What looks like an id is tried as one, then as a job: a job may be named like that, too.
    private func found<Value>(
        _ name: String, _ body: (String) throws(CLIError) -> Answer<Value>
    ) throws(CLIError) -> Answer<Value> {
        if name.isEmpty { throw CLIError(.usage, "the mount's name is empty; name its id or its job") }
        guard Self.looksLikeID(name) else { return try body(Self.path(job: name)) }
        do throws(CLIError) {
            return try body("/mounts/" + name)
        } catch  where error.exit == .notFound {
            return try body(Self.path(job: name))
        }
    }

    static func looksLikeID(_ name: String) -> Bool {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && parts.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isHexDigit } }
    }

    static func path(job: String) -> String {
        "/mounts/by-job/" + percentEncoded(job)
    }

    /// Encodes all but letters, digits, `-` and `_`; the dot too, so that no path segment is `.` or `..`.
    static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            if scalar.isASCII,
                scalar.properties.isAlphabetic || (0x30...0x39).contains(byte) || byte == 0x2D
                    || byte == 0x5F
            {
                result.unicodeScalars.append(scalar)
            } else {
                result += byte < 16 ? "%0" : "%"
                result += String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    private func send(
        _ method: String, _ path: String, body: [UInt8]? = nil, consume: (([UInt8]) -> Void)? = nil
    ) throws(CLIError) -> [UInt8] {
        let response: HTTPClient.Response
        try address.checkCAs()
        let token = try address.token()
        do throws(HTTPClient.Failure) {
            response = try HTTPClient(address: address, token: token, timeout: timeout).send(
                method, path, body: body, consume: consume)
        } catch {
            throw CLIError(.internalError, advice(error))
        }
        if (200..<300).contains(response.status) { return response.body }
        guard let error = try? JSONDecoder().decode(APIError.self, from: Data(response.body)) else {
            throw CLIError(.internalError, "\(address) answered HTTP \(response.status); is it antares-supervisor?")
        }
        let exit = CLIExit(apiCode: error.code)
        if error.code == "UNAUTHORIZED", token == nil {
            throw CLIError(exit, "\(address) wants a token; name its file with --token-file or ANTARES_TOKEN_FILE")
        }
        throw CLIError(exit, error.error)
    }

    private func advice(_ failure: HTTPClient.Failure) -> String {
        switch failure {
        case .unreachable(EACCES), .unreachable(EPERM):
            return
                "you may not use the supervisor's socket \(address); run as root or join the group it is configured for "
                + "(socket_group)"
        case .unreachable(let number):
            let reason = number == 0 ? "nobody listens" : Errno(rawValue: number).description
            guard case .socket = address else {
                return "no supervisor at \(address) (\(reason)); is `listen` set there, and the port open?"
            }
            return
                "no supervisor at \(address) (\(reason)); start it with `antares-supervisor --config supervisor.toml` or "
                + "name another socket with --socket or ANTARES_SOCKET"
        case .timedOut:
            return "the supervisor at \(address) did not answer within \(timeout) s; try again with a longer --timeout"
        case .untrusted(let message):
            return "the certificate of \(address) is not trusted (\(message)); name the CA with --ca or ANTARES_CA_FILE"
        case .notHTTP(let message):
            guard case .network(let url, _, _) = address, SupervisorAddress.isPlain(url) else {
                return advice(.other(message))
            }
            return
                "the supervisor at \(address) does not answer without TLS (\(message)); if it has a certificate, write "
                + "https:// instead of http://"
        case .other(let message):
            return "the supervisor at \(address) cannot be talked to: \(message)"
        }
    }

    private func decoded<Value: Decodable>(_ json: [UInt8]) throws(CLIError) -> Answer<Value> {
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(json)) else {
            throw CLIError(.internalError, "\(address) answered what is not understood; is it antares-supervisor?")
        }
        return Answer(value: value, json: json)
    }
}

private struct APIError: Decodable {
    let error: String
    let code: String
}
