import Glibc
import LinuxSystem

/// The operator API over its unix socket, spoken by hand: one request on one connection.
struct APIClient: Sendable {
    struct Answer: Sendable {
        let status: Int
        let body: JSON
    }

    let socket: String

    func get(_ path: String) throws -> Answer { try request("GET", path) }
    /// The body as it is, of an answer that is no JSON.
    func get(_ path: String, text: Bool) throws -> String {
        let finished = try Program.run(
            "/usr/bin/curl", ["-sSf", "--max-time", "30", "--unix-socket", socket, "http://x\(path)"])
        guard finished.succeeded else { throw Trouble("\(path): \(finished.errors)") }
        return finished.output
    }

    func delete(_ path: String) throws -> Answer { try request("DELETE", path) }
    func post(_ path: String, _ body: JSON) throws -> Answer { try request("POST", path, body) }

    /// Waits at most the limit for the whole answer.
    func request(_ method: String, _ path: String, _ body: JSON? = nil, limit: Duration = .seconds(60)) throws -> Answer
    {
        let deadline = Deadline.after(limit)
        let connection = try connect(until: deadline)
        var message = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        let payload = try body?.encoded() ?? []
        if body != nil { message += "Content-Type: application/json\r\nContent-Length: \(payload.count)\r\n" }
        let bytes = Array((message + "\r\n").utf8) + payload
        try bytes.withUnsafeBytes { try File.write(connection.raw, $0) }
        var answer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            var entry = pollfd(fd: connection.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, deadline.pollTimeout) > 0 else {
                throw Trouble("\(method) \(path): no answer in \(limit)")
            }
            let count = read(connection.raw, &chunk, chunk.count)
            if count <= 0 { break }
            answer += chunk[..<count]
        }
        return try Self.parse(answer)
    }

    /// The listener's queue is full for a moment when many connect at once.
    private func connect(until deadline: Deadline) throws -> OwnedFD {
        while true {
            do throws(SystemError) {
                return try StreamSocket.connect(socket)
            } catch {
                if error.errno != .wouldBlock || deadline.hasPassed { throw error }
                sched_yield()
            }
        }
    }

    private static func parse(_ bytes: [UInt8]) throws -> Answer {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { throw Trouble("no HTTP answer") }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let words = head.split(separator: " ", maxSplits: 2)
        guard words.count > 1, let status = Int(words[1]) else { throw Trouble("no HTTP status: \(head)") }
        let body = bytes[end.upperBound...]
        return Answer(status: status, body: try JSON(Array(body)))
    }
}
