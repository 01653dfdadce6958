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

    let socket: String
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
        try decoded(send("GET", "/health"))
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

    func remove(_ name: String) throws(CLIError) -> Answer<MountReport> {
        try found(name) { (path) throws(CLIError) in try decoded(send("DELETE", path)) }
    }

    /// What looks like an id is tried as one, then as a job: a job may be named like that, too.
    private func found<Value>(
        _ name: String, _ body: (String) throws(CLIError) -> Answer<Value>
    ) throws(CLIError) -> Answer<Value> {
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

    private func send(_ method: String, _ path: String, body: [UInt8]? = nil) throws(CLIError) -> [UInt8] {
        let response: HTTPClient.Response
        do throws(HTTPClient.Failure) {
            response = try HTTPClient(socket: socket, timeout: timeout).send(method, path, body: body)
        } catch {
            throw CLIError(.internalError, advice(error))
        }
        if (200..<300).contains(response.status) { return response.body }
        guard let error = try? JSONDecoder().decode(APIError.self, from: Data(response.body)) else {
            throw CLIError(.internalError, "\(socket) answered HTTP \(response.status); is it antares-supervisor?")
        }
        throw CLIError(CLIExit(apiCode: error.code), error.error)
    }

    private func advice(_ failure: HTTPClient.Failure) -> String {
        switch failure {
        case .unreachable(EACCES), .unreachable(EPERM):
            return
                "you may not use the supervisor's socket \(socket); run as root or join the group it is configured for "
                + "(socket_group)"
        case .unreachable(let number):
            let reason = number == 0 ? "nobody listens" : Errno(rawValue: number).description
            return
                "no supervisor at \(socket) (\(reason)); start it with `antares-supervisor --config supervisor.toml` or "
                + "name another socket with --socket or ANTARES_SOCKET"
        case .timedOut:
            return "the supervisor at \(socket) did not answer within \(timeout) s; try again with a longer --timeout"
        case .other(let message):
            return "the supervisor at \(socket) cannot be talked to: \(message)"
        }
    }

    private func decoded<Value: Decodable>(_ json: [UInt8]) throws(CLIError) -> Answer<Value> {
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(json)) else {
            throw CLIError(.internalError, "\(socket) answered what is not understood; is it antares-supervisor?")
        }
        return Answer(value: value, json: json)
    }
}

private struct APIError: Decodable {
    let error: String
    let code: String
}
