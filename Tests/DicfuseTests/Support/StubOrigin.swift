import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem

/// An HTTP/1.1 origin on the loopback over a real repository's objects, with faults by script. One thread for each connection.
final class StubOrigin: Sendable {
    enum Dialect: Sendable { case antares, mega }

    /// What happens instead of the right answer, once for each one that is queued.
    enum Fault: Sendable {
        case status(Int, retryAfter: Int? = nil)
        case otherBytes
        /// The right length is announced, half is sent.
        case truncated
        /// Neither a length nor the right bytes.
        case endless
        /// Right, but without Content-Length.
        case unannounced
        /// No answer until the stub is stopped.
        case silent
        /// The right answer, once `release` is called.
        case held
        case reset
        /// Bytes without an end; `flooded` says how many were taken.
        case flood
        /// The header, and then one byte a moment for ever, without a length if `announced` is false.
        case drip(announced: Bool = true)
        /// To itself, for ever.
        case redirect
        /// Gigabytes of zeros in a few kilobytes, said to be compressed.
        case gzipBomb
        /// The right answer, announced as longer than it is.
        case overstated
        /// Another object, which is right in itself.
        case otherObject
        /// The right answer with so many bytes of its body and then the end of the connection.
        case cut(after: Int)
    }

    static let floodLimit = 512 << 20

    private struct State {
        var flooded = 0
        var objects: [ObjectID: TestRepository.Object] = [:]
        var faults: [String: [Fault]] = [:]
        var requests: [String: Int] = [:]
        var sockets: Set<Int32> = []
        var threads: [SystemThread] = []
        var released = false
        var extensions: [String] = []
        var lastHead = ""
        var offeredImports: [String: Import] = [:]
        var stopped = false
        var fixed: [String: String] = [:]
    }

    let dialect: Dialect
    let port: UInt16
    let repository: TestRepository
    private let listener: Int32
    private let state = Guarded(State())
    private let gate = DispatchSemaphore(value: 0)

    var url: String { "http://127.0.0.1:\(port)" }

    init(_ repository: TestRepository, dialect: Dialect, port wanted: UInt16 = 0) throws {
        self.repository = repository
        self.dialect = dialect
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = wanted.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 128) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard bound else { throw TestRepository.Failure("bind: \(Errno.current)") }
        port = UInt16(bigEndian: address.sin_port)
        try refresh()
        let thread = try SystemThread.start(name: "stub") { [self] in accept() }
        state.with { $0.threads.append(thread) }
    }

    /// Takes up what was committed since.
    func refresh() throws {
        let objects = try repository.objects()
        state.with { $0.objects = objects }
    }

    func remove(_ id: ObjectID) {
        state.with { $0.objects[id] = nil }
    }

    /// Says that it has these extensions: `blobs`, `trees`.
    func offer(_ extensions: String...) {
        state.with { $0.extensions = extensions }
    }

    /// The header of the request that came last.
    var lastHead: String { state.with { $0.lastHead } }

    /// What is at a path of a Mega server whatever commit is asked for.
    struct Import: Sendable {
        let root: ObjectID
    }

    /// Serves the tree `root` at `path`, where the repository's own commits have another one.
    func serveImport(_ root: ObjectID, at path: String) {
        state.with { $0.offeredImports[path] = Import(root: root) }
    }

    /// Answers this to requests for `path`.
    func serve(_ path: String, _ body: String) {
        state.with { $0.fixed[path] = body }
    }

    /// Queues faults for requests whose method and target contain `part`.
    func fail(_ part: String, _ faults: Fault...) {
        state.with { $0.faults[part, default: []] += faults }
    }

    func release() {
        state.with { $0.released = true }
        for _ in 0..<64 { gate.signal() }
    }

    /// Requests whose target contains `part`.
    func requests(_ part: String) -> Int {
        state.with { $0.requests.reduce(0) { $1.key.contains(part) ? $0 + $1.value : $0 } }
    }

    var total: Int { state.with { $0.requests.values.reduce(0, +) } }

    func stop() {
        let first = state.with { state in
            guard !state.stopped else { return false }
            state.stopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            return true
        }
        guard first else { return }
        release()
        // The thread that accepts may start one more after the first look.
        while true {
            let threads = state.with { state in
                defer { state.threads = [] }
                return state.threads
            }
            if threads.isEmpty { break }
            for thread in threads { thread.join() }
        }
        close(listener)
    }

    private func accept() {
        while true {
            let socket = Glibc.accept(listener, nil, nil)
            guard socket >= 0 else { return }
            let stopped = state.with { state in
                state.sockets.insert(socket)
                return state.stopped
            }
            guard !stopped, let thread = try? SystemThread.start(name: "stub-connection", { [self] in serve(socket) })
            else {
                close(socket)
                return
            }
            state.with { $0.threads.append(thread) }
        }
    }

    private func serve(_ socket: Int32) {
        // Under the lock: `stop` must not shut down somebody else's socket of the same number.
        defer {
            state.with { state in
                state.sockets.remove(socket)
                close(socket)
            }
        }
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        let end = Array("\r\n\r\n".utf8)
        while true {
            while let found = pending.firstRange(of: end) {
                let head = String(decoding: pending[..<found.lowerBound], as: UTF8.self)
                let length = Self.contentLength(head)
                guard pending.count >= found.upperBound + length else { break }
                let body = Array(pending[found.upperBound..<(found.upperBound + length)])
                pending.removeSubrange(..<(found.upperBound + length))
                guard answer(head, body, socket) else { return }
            }
            let n = recv(socket, &chunk, chunk.count, 0)
            guard n > 0 else { return }
            pending += chunk[..<n]
        }
    }

    private static func contentLength(_ head: String) -> Int {
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        return line.flatMap { Int($0.split(separator: ":")[1].trimmingCharacters(in: .whitespaces)) } ?? 0
    }

    private func answer(_ head: String, _ sent: [UInt8], _ socket: Int32) -> Bool {
        let words = (head.split(separator: "\r\n").first ?? "").split(separator: " ")
        guard words.count == 3 else { return false }
        let isHead = words[0] == "HEAD"
        // A proxy is asked for whole addresses.
        var target = String(words[1])
        if target.hasPrefix("http://") {
            target = "/" + target.split(separator: "/").dropFirst(2).joined(separator: "/")
        }
        let fault: Fault? = state.with { state in
            state.lastHead = head
            state.requests["\(words[0]) \(target)", default: 0] += 1
            guard
                let key = state.faults.keys.first(where: {
                    "\(words[0]) \(target)".contains($0) && state.faults[$0]?.isEmpty == false
                })
            else { return nil }
            return state.faults[key]?.removeFirst()
        }
        var (status, body) = words[0] == "POST" ? batch(target, sent) : respond(target)
        var length: Int? = body.count
        var extra = ""
        var goesOn = true
        switch fault {
        case .status(let code, let retryAfter):
            (status, body, length) = (code, Array("fault".utf8), 5)
            if let retryAfter { extra = "Retry-After: \(retryAfter)\r\n" }
        case .otherBytes:
            body = body.isEmpty ? [1] : body.map { $0 ^ 1 }
            length = body.count
        case .truncated:
            body = Array(body.prefix(body.count / 2))
            goesOn = false
        case .endless:
            body = [UInt8](repeating: 0, count: body.count + 100_000)
            (length, goesOn) = (nil, false)
        case .unannounced:
            (length, goesOn) = (nil, false)
        case .silent:
            while recv(socket, &body, 0, 0) == 0, !state.with({ $0.stopped }) { gate.wait() }
            return false
        case .held:
            if !state.with({ $0.released }) { gate.wait() }
        case .reset:
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            return false
        case .flood:
            flood(socket)
            return false
        case .drip(let announced):
            drip(socket, length: announced ? body.count : nil)
            return false
        case .redirect:
            (status, body, length) = (302, [], 0)
            extra = "Location: \(target)\r\n"
        case .gzipBomb:
            body = Self.bomb
            length = body.count
            extra = "Content-Encoding: gzip\r\n"
        case .overstated:
            length = body.count + 10
            goesOn = false
        case .otherObject:
            body = Array("another object".utf8)
            length = body.count
        case .cut(let count):
            body = Array(body.prefix(count))
            goesOn = false
        case nil:
            break
        }
        var header = "HTTP/1.1 \(status) X\r\n\(extra)"
        if let length { header += "Content-Length: \(length)\r\n" }
        if !goesOn { header += "Connection: close\r\n" }
        header += "\r\n"
        var bytes = Array(header.utf8)
        if !isHead { bytes += body }
        var sent = 0
        while sent < bytes.count {
            let n = bytes.withUnsafeBytes {
                send(socket, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard n > 0 else { return false }
            sent += n
        }
        return goesOn
    }

    /// What gzip(1) makes of many zeros.
    private static let bomb: [UInt8] = {
        let text = "head -c 64M /dev/zero | gzip -9"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", text]
        let pipe = Pipe()
        process.standardOutput = pipe
        try? process.run()
        return Array(pipe.fileHandleForReading.readDataToEndOfFile())
    }()

    private func drip(_ socket: Int32, length: Int?) {
        let header = "HTTP/1.1 200 X\r\n\(length.map { "Content-Length: \($0)\r\n" } ?? "")\r\n"
        var bytes = Array(header.utf8)
        while !state.with({ $0.stopped }) {
            let n = bytes.withUnsafeBytes { send(socket, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
            guard n > 0 else { return }
            bytes = [0x78]
            _ = gate.wait(timeout: .now() + .milliseconds(20))
        }
    }

    private func flood(_ socket: Int32) {
        var bytes = Array("HTTP/1.1 200 X\r\nConnection: close\r\n\r\n".utf8)
        while state.with({ $0.flooded }) < Self.floodLimit {
            let n = bytes.withUnsafeBytes { send(socket, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
            guard n > 0 else { return }
            state.with { $0.flooded += n }
            bytes = [UInt8](repeating: 0, count: 256 * 1024)
        }
    }

    /// Bytes that were taken of floods.
    var flooded: Int {
        state.with { $0.flooded }
    }

    // MARK: The right answers

    private func batch(_ target: String, _ body: [UInt8]) -> (Int, [UInt8]) {
        if let body = state.with({ $0.fixed[target] }) { return (200, Array(body.utf8)) }
        let (objects, extensions) = state.with { ($0.objects, $0.extensions) }
        let name = target.suffix(after: "/antares/v1/") ?? ""
        guard extensions.contains(name) else { return (404, []) }
        let trees = StubTrees(objects: objects)
        var answer: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: 20) {
            guard let id = ObjectID(kind: .sha1, bytes: body[start..<(start + 20)]) else { return (400, []) }
            if name == "trees", let frame = trees.frame(id) {
                answer += frame.dropLast(ObjectFrame.end.count)
            } else if name == "blobs", let object = objects[id], object.type == "blob" {
                answer += ObjectFrame.header(.blob, id, length: UInt64(object.bytes.count)) + object.bytes
            } else {
                ObjectFrame.appendMissing(to: &answer, id)
            }
        }
        return (200, answer + ObjectFrame.end)
    }

    private func respond(_ target: String) -> (Int, [UInt8]) {
        let parts = target.split(separator: "?", maxSplits: 1)
        let path = String(parts[0])
        var query: [String: String] = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[String(sides[0])] = String(sides.count > 1 ? sides[1] : "").removingPercentEncoding
        }
        let (objects, extensions, imports) = state.with { ($0.objects, $0.extensions, $0.offeredImports) }
        if let body = state.with({ $0.fixed[path] }) { return (200, Array(body.utf8)) }
        if let oid = path.suffix(after: "/api/v1/file/blob/") {
            guard let id = ObjectID(hex: oid), let object = objects[id], object.type == "blob" else { return (404, []) }
            return (200, object.bytes)
        }
        let tree = StubTrees(objects: objects)
        switch (dialect, path) {
        case (.antares, "/antares/v1/capabilities"):
            let list = extensions.map { "\"\($0)\"" }.joined(separator: ",")
            return (200, Array("{\"version\":1,\"extensions\":[\(list)]}".utf8))
        case (.antares, _) where path.hasPrefix("/antares/v1/commits/"):
            let name = path.suffix(after: "/antares/v1/commits/")?.removingPercentEncoding ?? ""
            guard let commit = repository.resolve(name), let (root, time) = tree.commit(commit) else {
                return (404, [])
            }
            return (200, Array("{\"commit\":\"\(commit)\",\"tree\":\"\(root)\",\"time\":\(time)}".utf8))
        case (.antares, _) where path.hasPrefix("/antares/v1/trees/"):
            guard let id = ObjectID(hex: path.suffix(after: "/antares/v1/trees/") ?? ""), let frame = tree.frame(id)
            else { return (404, []) }
            return (200, frame)
        case (.mega, "/api/v1/latest-commit"):
            let refs = query["refs"] ?? ""
            guard let commit = repository.resolve(refs.isEmpty ? "HEAD" : refs), let (_, time) = tree.commit(commit)
            else { return (500, Array("{\"req_result\":false,\"data\":null,\"err_message\":\"x\"}".utf8)) }
            return (200, Array("{\"oid\":\"\(commit)\",\"date\":\"\(time)\",\"status\":\"success\"}".utf8))
        case (.mega, "/api/v1/tree/content-hash") where Self.imported(imports, query["path"]) != nil:
            guard let (root, below) = Self.imported(imports, query["path"]) else { return (500, []) }
            return (200, tree.listing(root, below))
        case (.mega, "/api/v1/file/tree") where Self.imported(imports, query["path"]) != nil:
            guard let (root, below) = Self.imported(imports, query["path"]), let id = tree.walk(root, below),
                query["oid"].map({ $0 == id.hex }) ?? true
            else { return (200, []) }
            return (200, objects[id]?.bytes ?? [])
        case (.mega, "/api/v1/tree/content-hash"):
            guard let commit = ObjectID(hex: query["refs"] ?? ""), let (root, _) = tree.commit(commit) else {
                return (500, [])
            }
            return (200, tree.listing(root, query["path"] ?? "/"))
        case (.mega, "/api/v1/file/tree"):
            guard let head = repository.resolve("HEAD"), let (root, _) = tree.commit(head),
                let id = tree.walk(root, query["path"] ?? "/"), query["oid"].map({ $0 == id.hex }) ?? true
            else { return (200, []) }
            return (200, objects[id]?.bytes ?? [])
        default:
            return (404, Array("Operation not supported".utf8))
        }
    }
}

extension StubOrigin {
    /// The import that a path leads into, and what is left of the path.
    private static func imported(_ imports: [String: Import], _ path: String?) -> (ObjectID, String)? {
        guard let path, let found = imports.first(where: { path == $0.key || path.hasPrefix($0.key + "/") }) else {
            return nil
        }
        return (found.value.root, String(path.dropFirst(found.key.count)))
    }
}

/// Reads trees and commits out of a set of objects.
struct StubTrees {
    let objects: [ObjectID: TestRepository.Object]

    func commit(_ id: ObjectID) -> (root: ObjectID, time: Int)? {
        guard let object = objects[id], object.type == "commit" else { return nil }
        let lines = String(decoding: object.bytes, as: UTF8.self).split(separator: "\n")
        guard let tree = lines.first?.dropFirst(5), let root = ObjectID(hex: tree),
            let time = lines.first(where: { $0.hasPrefix("committer ") })?.split(separator: " ").dropLast().last
        else { return nil }
        return (root, Int(time) ?? 0)
    }

    func entries(_ id: ObjectID) -> [TreeEntry]? {
        guard let object = objects[id], object.type == "tree" else { return nil }
        return try? TreeParser.entries(of: object.bytes)
    }

    func frame(_ id: ObjectID) -> [UInt8]? {
        guard let object = objects[id], object.type == "tree" else { return nil }
        let sizes = (entries(id) ?? []).map { entry -> UInt64 in
            guard entry.mode.hasBlob, let object = objects[entry.id] else { return ObjectFrame.noSize }
            return UInt64(object.bytes.count)
        }
        var bytes: [UInt8] = []
        ObjectFrame.appendTree(to: &bytes, id, payload: object.bytes, sizes: sizes)
        return bytes + ObjectFrame.end
    }

    func walk(_ root: ObjectID, _ path: String) -> ObjectID? {
        var id = root
        for component in path.split(separator: "/") {
            guard let entry = entries(id)?.first(where: { $0.name == Array(component.utf8) && $0.mode == .directory })
            else { return nil }
            id = entry.id
        }
        return id
    }

    func listing(_ root: ObjectID, _ path: String) -> [UInt8] {
        let items = walk(root, path).flatMap(entries) ?? []
        let data = items.map { entry in
            [
                "name": String(decoding: entry.name, as: UTF8.self),
                "content_type": entry.mode == .directory ? "directory" : "file", "oid": entry.id.hex,
            ]
        }
        let envelope: [String: Any] = ["req_result": true, "data": data, "err_message": ""]
        return (try? JSONSerialization.data(withJSONObject: envelope)).map(Array.init) ?? []
    }
}

extension String {
    func suffix(after prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
