import Foundation
import GitObjects
import Hummingbird
import HummingbirdTesting
import LinuxSystem
import Testing

@testable import OriginServer

/// Over a real socket: what depends on the wire.
@Suite(.timeLimit(.minutes(2))) struct TransferTests {
    /// A blob that Git stores small and gives large.
    static let size = 48 << 20

    static func withLargeBlob() throws -> (TestRepository, ObjectID) {
        let repository = try TestRepository()
        try repository.write("large", "")
        try FileHandle(forWritingTo: URL(fileURLWithPath: repository.path + "/large")).truncate(
            atOffset: UInt64(self.size))
        try repository.git(["-c", "core.compression=1", "add", "large"])
        try repository.git(["commit", "-q", "-m", "large"])
        return (repository, try repository.id("HEAD:large"))
    }

    @Test func headHasTheLengthAndNoBody() async throws {
        let (repository, id) = try Self.withLargeBlob()
        let origin = try makeOrigin(repository)
        try await serving(origin, live: true) { (client) async throws in
            let port = try #require(client.port)
            let heads = try await blocking {
                let connection = try RawConnection(port: port)
                try connection.request("HEAD", "/api/v1/file/blob/\(id)")
                let first = try connection.readHead()
                // A body would stand between the two.
                try connection.request("HEAD", "/api/v1/file/blob/\(ObjectID.emptyBlobSHA1)")
                return [first, try connection.readHead()]
            }
            #expect(heads[0].hasPrefix("HTTP/1.1 200"))
            #expect(heads[0].lowercased().contains("content-length: \(Self.size)\r\n"))
            #expect(heads[1].hasPrefix("HTTP/1.1 200") || heads[1].hasPrefix("HTTP/1.1 404"))
            #expect(try await client.counter("antares_origin_object_bytes_total") == 0)
            #expect(origin.store.streams.idleProcesses.isEmpty)
        }
    }

    @Test func rangeFarIntoALargeBlob() async throws {
        let (repository, id) = try Self.withLargeBlob()
        let origin = try makeOrigin(repository)
        try await serving(origin, live: true) { (client) async throws in
            let port = try #require(client.port)
            for (first, last) in [(Self.size - 10, Self.size - 1), (Self.size / 2, Self.size / 2 + 9)] {
                let (head, body) = try await blocking {
                    let connection = try RawConnection(port: port)
                    try connection.request(
                        "GET", "/api/v1/file/blob/\(id)",
                        headers: "Range: bytes=\(first)-\(last)\r\nConnection: close\r\n")
                    return (try connection.readHead(), try connection.read(100))
                }
                #expect(head.hasPrefix("HTTP/1.1 206"))
                #expect(head.contains("bytes \(first)-\(last)/\(Self.size)"))
                #expect(body == [UInt8](repeating: 0, count: 10))
            }
        }
    }

    @Test func clientsThatGoAwayLeaveNothingBehind() async throws {
        let (repository, id) = try Self.withLargeBlob()
        var limits = shortLimits
        limits.streams = 2
        let origin = try makeOrigin(repository, limits: limits)
        try await serving(origin, live: true) { (client) async throws in
            let port = try #require(client.port)
            // More of them than there are streams: the last one is served only if the others were given up.
            for _ in 0..<6 {
                try await blocking {
                    let connection = try RawConnection(port: port)
                    try connection.request("GET", "/api/v1/file/blob/\(id)")
                    _ = try connection.readHead()
                    _ = try connection.read(1 << 20)
                }
            }
            let (head, count) = try await blocking {
                let connection = try RawConnection(port: port)
                try connection.request("GET", "/api/v1/file/blob/\(id)", headers: "Connection: close\r\n")
                return (try connection.readHead(), try connection.count(upTo: Self.size + 1))
            }
            #expect(head.hasPrefix("HTTP/1.1 200"))
            #expect(count == Self.size)
        }
    }

    @Test func aTransferWhoseGitDiesIsBrokenOff() async throws {
        let (repository, id) = try Self.withLargeBlob()
        try await serving(repository, live: true) { (client) async throws in
            let port = try #require(client.port)
            let count = try await blocking {
                // A small window, so that git is still at work when it is ended.
                let connection = try RawConnection(port: port, receiveBuffer: 16 * 1024)
                try connection.request("GET", "/api/v1/file/blob/\(id)")
                let head = try connection.readHead()
                #expect(head.lowercased().contains("content-length: \(Self.size)\r\n"))
                let processes = try Self.gitProcesses(of: repository.path)
                #expect(!processes.isEmpty)
                for pid in processes { kill(pid, SIGKILL) }
                return try connection.count(upTo: Self.size)
            }
            #expect(count < Self.size)
            let again = try await client.get("/api/v1/file/blob/\(id)", headers: [.range: "bytes=0-9"])
            #expect(again.status == .partialContent)
            #expect(again.body.readableBytes == 10)
        }
    }

    /// The processes whose command line names this repository.
    static func gitProcesses(of path: String) throws -> [pid_t] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }.filter { pid in
            let command = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/cmdline"))) ?? Data()
            let text = String(decoding: command, as: UTF8.self)
            return text.contains(path) && text.contains("cat-file")
        }
    }

    @Test func aClientThatTakesNothingIsCutOff() async throws {
        let (repository, id) = try Self.withLargeBlob()
        var limits = shortLimits
        limits.streams = 1
        limits.writeDeadline = .seconds(4)
        try await serving(try makeOrigin(repository, limits: limits), live: true) { (client) async throws in
            let port = try #require(client.port)
            let stalled = try await blocking {
                let connection = try RawConnection(port: port, receiveBuffer: 4096)
                try connection.request("GET", "/api/v1/file/blob/\(id)")
                // The head comes once git gives data: the stream is taken.
                _ = try connection.readHead()
                return connection
            }
            // Waits for the only stream, so until the stalled client has been given up.
            let count = try await blocking {
                let connection = try RawConnection(port: port)
                try connection.request("GET", "/api/v1/file/blob/\(id)", headers: "Connection: close\r\n")
                _ = try connection.readHead()
                return try connection.count(upTo: Self.size + 1)
            }
            #expect(count == Self.size)
            let received = try await blocking { try stalled.count(upTo: Self.size) }
            #expect(received < Self.size)
        }
    }

    @Test func oversizedHeadersAreRefused() async throws {
        try await serving(TestRepository.furnished(), live: true) { (client) async throws in
            let port = try #require(client.port)
            let head = try await blocking {
                let connection = try RawConnection(port: port)
                try connection.request("GET", "/", headers: "X-Long: \(String(repeating: "x", count: 100_000))\r\n")
                return String(decoding: try connection.read(12), as: UTF8.self)
            }
            #expect(head != "HTTP/1.1 200")
        }
    }
}
