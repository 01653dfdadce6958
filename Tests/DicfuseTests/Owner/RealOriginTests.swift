import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// Against `antares-origin` itself, where it has been built: beside the tests, or where `ANTARES_ORIGIN_PROGRAM` says.
@Suite("Owner with the real origin", .enabled(if: OriginProcess.program != nil), .timeLimit(.minutes(2)))
struct RealOriginTests {
    @Test("Every path, type, mode, size and byte is Git's", arguments: [false, true])
    func everything(strict: Bool) throws {
        let repository = try TestRepository()
        var files: [String: TestRepository.Content] = [
            "README": .file("hello\n"), "bin/run": .script("#!/bin/sh\n"), "bin/link": .link("run"), "empty": .file(""),
            "odd/ä ö/a b&c%41#+\"'\n?=": .file("odd"), "deep/1/2/3/4/5/6/7/8": .file("deep"),
            "large": .bytes((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }),
        ]
        for number in 0..<300 { files["many/\(number)"] = .file("number \(number)\n") }
        let commit = try repository.commit(files)
        let origin = try OriginProcess(repository, strict: strict)
        let cache = try TemporaryDirectory.make("cache")
        defer { try? FileManager.default.removeItem(atPath: cache) }
        let owner = try OwnerHarness(.test(cache, origin.url))
        defer { owner.stop() }
        let snapshot = try owner.control.pin()
        #expect(snapshot.commit == commit)
        #expect(snapshot.commitTime == 1_700_000_000)
        #expect(snapshot.assurance.contains(.treesVerified) == !strict)
        let expected = try lines(of: repository)
        #expect(try walk(owner.worker(), snapshot.root) == expected)
        // Once more, from the cache alone.
        origin.stop()
        #expect(try walk(owner.worker(), snapshot.root) == expected)
        #expect(try owner.control.pin(commit.hex, path: "/deep/1/2").commit == commit)
    }

    @Test("Errors of the real origin keep their kinds", arguments: [false, true])
    func errors(strict: Bool) throws {
        let repository = try TestRepository()
        _ = try repository.commit(["a/b": .file("x")])
        let origin = try OriginProcess(repository, strict: strict)
        let cache = try TemporaryDirectory.make("cache")
        defer { try? FileManager.default.removeItem(atPath: cache) }
        let owner = try OwnerHarness(.test(cache, origin.url))
        defer { owner.stop() }
        func code(_ revision: String, _ path: String) -> CacheError.Code? {
            do {
                _ = try owner.control.pin(revision, path: path)
                return nil
            } catch {
                return (error as? CacheError)?.code
            }
        }
        #expect(code("", "/none") == .notFound)
        #expect(code("", "/a/b") == .notADirectory)
        #expect(code("none", "/") == .unknownRevision)
        #expect(code(String(repeating: "1", count: 40), "/") == .unknownRevision)
        #expect(code("", "/a") == nil)
    }

    /// `mode id size path` of all that is not a directory, as Git has it.
    private func lines(of repository: TestRepository) throws -> Set<String> {
        let output = try repository.git(["ls-tree", "-r", "-z", "-l", "HEAD"])
        let records = output.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        return Set(
            records.map { record in
                let sides = record.split(separator: "\t", maxSplits: 1)
                let fields = sides[0].split(separator: " ")
                return "\(fields[0]) \(fields[2]) \(fields[3]) \(sides[1])"
            })
    }

    private func walk(_ worker: Client, _ id: ObjectID, _ prefix: String = "") throws -> Set<String> {
        var lines = Set<String>()
        let directory = try worker.directory(id)
        for (index, item) in directory.items.enumerated() {
            let path = prefix + String(decoding: item.name, as: UTF8.self)
            if item.entry.mode == .directory {
                lines.formUnion(try walk(worker, item.entry.id, path + "/"))
                continue
            }
            let (mode, size) = try worker.stat(id, index)
            let bytes = try worker.contents(item.entry.id, size: size)
            #expect(ObjectID.hash(blob: bytes) == item.entry.id)
            lines.insert("\(mode?.octal ?? "?") \(item.entry.id) \(size) \(path)")
        }
        return lines
    }
}

/// The program `antares-origin` on a repository.
final class OriginProcess {
    static let program: String? = {
        let environment = ProcessInfo.processInfo.environment
        if environment["ANTARES_SANITIZE"] != nil { return nil }
        let named = environment["ANTARES_ORIGIN_PROGRAM"]
        let beside = (try? OwnerProcess.program()).map {
            ($0 as NSString).deletingLastPathComponent + "/antares-origin"
        }
        return [named, beside].compactMap { $0 }.first { access($0, X_OK) == 0 }
    }()

    let url: String
    private let process: ChildProcess
    private var stopped = false

    init(_ repository: TestRepository, strict: Bool) throws {
        guard let program = Self.program else { throw TestRepository.Failure("antares-origin is not built") }
        // A port that was free a moment ago; the origin is asked until it answers.
        let stub = try StubOrigin(repository, dialect: .antares)
        let port = stub.port
        stub.stop()
        url = "http://127.0.0.1:\(port)"
        process = try ChildProcess.spawn(
            ProcessSpec(
                path: program,
                arguments: ["--repo", repository.directory, "--listen", "127.0.0.1:\(port)"]
                    + (strict ? ["--strict-mega"] : []),
                environment: ["PATH=/usr/bin:/bin", "HOME=/"]))
        let end = Deadline.after(.seconds(30))
        while !Self.answers(port) {
            if end.hasPassed || process.waitForEnd(until: .after(.milliseconds(20))) {
                throw TestRepository.Failure("antares-origin does not serve")
            }
        }
    }

    deinit {
        stop()
    }

    func stop() {
        if stopped { return }
        stopped = true
        process.signal(SIGKILL)
        _ = process.waitForEnd(until: .after(.seconds(10)))
        _ = process.reap()
    }

    private static func answers(_ port: UInt16) -> Bool {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
