import Foundation
import LinuxSystem
import Testing

/// The program itself, as built beside the tests.
@Suite(.timeLimit(.minutes(2))) struct ProgramTests {
    static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appendingPathComponent("antares-origin").path

    /// What a run said on standard error, and how it ended.
    struct Run {
        let process = Process()
        let errors = Foundation.Pipe()

        init(_ arguments: [String]) throws {
            self.process.executableURL = URL(fileURLWithPath: ProgramTests.program)
            self.process.arguments = arguments
            self.process.standardError = self.errors
            self.process.standardOutput = FileHandle.nullDevice
            try self.process.run()
        }

        func firstLine() throws -> String {
            var line = Data()
            while let byte = try self.errors.fileHandleForReading.read(upToCount: 1), !byte.isEmpty,
                byte != Data("\n".utf8)
            {
                line += byte
            }
            return String(decoding: line, as: UTF8.self)
        }

        func end() -> Int32 {
            self.process.waitUntilExit()
            return self.process.terminationStatus
        }
    }

    @Test(arguments: [SIGTERM, SIGINT]) func servesUntilASignal(signal: Int32) async throws {
        let repository = try TestRepository.furnished()
        try await blocking {
            let run = try Run(["--repo", repository.path, "--listen", "127.0.0.1:0"])
            let line = try run.firstLine()
            let port = try #require(Int(line.split(separator: ":").last ?? ""))
            #expect(line == "listening on http://127.0.0.1:\(port)")
            let connection = try RawConnection(port: port)
            try connection.request("GET", "/api/v1/tree/content-hash?path=/bin")
            #expect(try connection.readHead().hasPrefix("HTTP/1.1 200"))
            kill(run.process.processIdentifier, signal)
            #expect(run.end() == 0)
        }
    }

    @Test func largeBlobInBoundedMemory() async throws {
        let (repository, id) = try TransferTests.withLargeBlob()
        try await blocking {
            let run = try Run(["--repo", repository.path, "--listen", "127.0.0.1:0"])
            defer { kill(run.process.processIdentifier, SIGKILL) }
            let port = try #require(Int(try run.firstLine().split(separator: ":").last ?? ""))
            let connection = try RawConnection(port: port)
            try connection.request("GET", "/api/v1/tree/content-hash")
            _ = try connection.readHead()
            let before = try Self.peakMemory(of: run.process.processIdentifier)
            let transfer = try RawConnection(port: port)
            try transfer.request("GET", "/api/v1/file/blob/\(id)")
            _ = try transfer.readHead()
            #expect(try transfer.count(upTo: TransferTests.size) == TransferTests.size)
            let growth = try Self.peakMemory(of: run.process.processIdentifier) - before
            #expect(growth < TransferTests.size / 2)
        }
    }

    /// The most memory a process ever held, in bytes.
    static func peakMemory(of pid: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(Int(line.filter(\.isNumber))) * 1024
    }

    @Test func exitCodes() async throws {
        let repository = try TestRepository.furnished()
        try await blocking {
            let port: Int
            let holder = try Run(["--repo", repository.path, "--listen", "127.0.0.1:0", "--strict-mega"])
            port = try #require(Int(try holder.firstLine().split(separator: ":").last ?? ""))
            for (arguments, code, said) in [
                (["--repo", repository.path, "--listen", "127.0.0.1:\(port)"], 4, "cannot be listened on"),
                (["--repo", "/nonexistent", "--listen", "127.0.0.1:0"], 2, "--repo"),
                (["--repo", "/", "--listen", "127.0.0.1:0"], 2, "not a git repository"),
                (["--repo", repository.path, "--listen", "127.0.0.1:0", "--git", "/nonexistent"], 2, "--git"),
                (["--repo", repository.path, "--listen", "nowhere"], 2, "listen"),
                (["--repo", repository.path, "--listen", "127.0.0.1:0", "--cl", "X=main"], 2, "NAME=BASE..TIP"),
                (["--repo", repository.path, "--listen", "127.0.0.1:0", "--cl", "X=nowhere..main"], 2, "changelist X"),
                (["--listen", "127.0.0.1:0"], 2, "--repo"),
                (["--repo", "x", "--listen", "127.0.0.1:0", "--bogus"], 2, "bogus"), (["--help"], 0, ""),
            ] as [([String], Int32, String)] {
                let run = try Run(arguments)
                let text = try run.errors.fileHandleForReading.readToEnd() ?? Data()
                #expect(run.end() == code, "\(arguments)")
                #expect(said.isEmpty || String(decoding: text, as: UTF8.self).contains(said), "\(arguments)")
            }
            kill(holder.process.processIdentifier, SIGTERM)
            #expect(holder.end() == 0)
        }
    }
}
