import DescribedAPI
import LinuxSystem
import Testing

/// Asks a running supervisor as curl(1) does, and holds each answer to the description that the supervisor gives of itself.
final class DescribedClient {
    typealias Operation = APIDescription.Operation

    struct Answer {
        let status: Int
        let headers: [String: String]
        let text: String

        var json: JSON { (try? JSON(Array(text.utf8))) ?? .null }
    }

    /// Where and as whom it asks.
    enum Door {
        case socket
        case network(headers: [String])
    }

    let description: APIDescription
    private let socket: String
    private let port: Int
    /// The statuses that were seen of each operation.
    private(set) var seen: [Operation: Set<Int>] = [:]

    init(_ farm: Farm, port: Int) throws {
        socket = farm.api.socket
        self.port = port
        description = try APIDescription(farm.api.get("/openapi.json", text: true).utf8)
    }

    /// Expects one of the statuses, and an answer of the form that is described for it.
    ///
    /// - Parameters:
    ///   - path: as in the description; the name in braces is replaced by `name`.
    ///   - query: with its question mark.
    @discardableResult
    func ask(
        _ method: String, _ path: String, _ name: String = "", _ body: String? = nil, query: String = "",
        headers: [String] = [], door: Door = .socket, expecting statuses: Int...,
        location: SourceLocation = #_sourceLocation
    ) throws -> Answer {
        let operation = Operation(method, path)
        let target = path.replacing("{mount_id}", with: name).replacing("{job_id}", with: name) + query
        let answer = try send(method, target, body, headers, door)
        seen[operation, default: []].insert(answer.status)
        let problems = description.problems(
            of: operation, status: answer.status, contentType: answer.headers["content-type"], body: answer.text.utf8)
        #expect(problems == [], "\(method) \(target): \(answer.text.prefix(500))", sourceLocation: location)
        #expect(
            statuses.contains(answer.status), "\(method) \(target): \(answer.status): \(answer.text.prefix(500))",
            sourceLocation: location)
        return answer
    }

    /// An answer that no operation has: only its body is described.
    func expectError(
        _ method: String, _ target: String, status: Int, code: String, location: SourceLocation = #_sourceLocation
    ) throws {
        let answer = try send(method, target, nil, [], .socket)
        #expect(answer.status == status && answer.json["code"].text == code, "\(answer)", sourceLocation: location)
        #expect(description.problems(ofText: answer.text, as: "Error") == [], sourceLocation: location)
        #expect(answer.headers["content-type"] == "application/json", sourceLocation: location)
    }

    private func send(
        _ method: String, _ target: String, _ body: String?, _ headers: [String], _ door: Door
    ) throws -> Answer {
        var arguments = ["-sS", "-i", "--max-time", "40", "-X", method]
        var headers = headers
        switch door {
        case .socket: arguments += ["--unix-socket", socket]
        case .network(let more): headers += more
        }
        if let body {
            headers.append("Content-Type: application/json")
            arguments += ["--data-binary", body]
        }
        for header in headers { arguments += ["-H", header] }
        let finished = try Program.run("/usr/bin/curl", arguments + ["http://127.0.0.1:\(port)\(target)"])
        guard finished.succeeded, let end = finished.output.firstRange(of: "\r\n\r\n") else {
            throw Trouble("\(method) \(target): \(finished.errors)")
        }
        let lines = finished.output[..<end.lowerBound].split(separator: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            fields[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Trouble("\(method) \(target): no status: \(finished.output.prefix(200))")
        }
        return Answer(status: status, headers: fields, text: String(finished.output[end.upperBound...]))
    }
}
