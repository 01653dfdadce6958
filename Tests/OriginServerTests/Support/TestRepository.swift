import Foundation
import GitObjects
import Testing

/// A real repository in a directory of its own, removed at the end.
final class TestRepository: Sendable {
    let path: String

    init(bare: Bool = false) throws {
        self.path = NSTemporaryDirectory() + "origin-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
        try self.git(["init", "-q", "-b", "main"] + (bare ? ["--bare"] : []) + ["."])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: self.path)
    }

    struct Failure: Error {
        let arguments: [String]
        let output: String
    }

    /// Runs git in the repository, away from the configuration of this machine, and returns what it prints.
    @discardableResult
    func git(_ arguments: [String], input: Data = Data()) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "-c", "safe.directory=*"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: self.path)
        process.environment = [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ann Author", "GIT_AUTHOR_EMAIL": "ann@example.org",
            "GIT_COMMITTER_NAME": "Carl Committer", "GIT_COMMITTER_EMAIL": "carl@example.org",
            "GIT_AUTHOR_DATE": "1700000000 +0100", "GIT_COMMITTER_DATE": "1700000100 +0100",
        ]
        // Files, not pipes: nothing has to be read while the other side writes.
        let inputFile = self.path + ".in"
        let outputFile = self.path + ".out"
        try input.write(to: URL(fileURLWithPath: inputFile))
        try Data().write(to: URL(fileURLWithPath: outputFile))
        defer {
            try? FileManager.default.removeItem(atPath: inputFile)
            try? FileManager.default.removeItem(atPath: outputFile)
        }
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: inputFile))
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: outputFile))
        try process.run()
        process.waitUntilExit()
        let output = try Data(contentsOf: URL(fileURLWithPath: outputFile))
        guard process.terminationStatus == 0 else {
            throw Failure(arguments: arguments, output: String(decoding: output, as: UTF8.self))
        }
        return output
    }

    func text(_ arguments: String...) throws -> String {
        String(decoding: try self.git(arguments), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func id(_ revision: String) throws -> ObjectID {
        try #require(ObjectID(hex: try self.text("rev-parse", "--verify", revision)))
    }

    func write(_ name: String, _ content: String) throws {
        try self.write(Array(name.utf8), Data(content.utf8))
    }

    /// Creates a file and the directories above it; the name is bytes.
    func write(_ name: [UInt8], _ content: Data, mode: mode_t = 0o644) throws {
        let parts = name.split(separator: 0x2f)
        for depth in 1..<max(1, parts.count) {
            let directory = Array(self.path.utf8) + [0x2f] + Array(parts.prefix(depth).joined(separator: [0x2f])) + [0]
            _ = directory.withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) { mkdir($0.baseAddress!, 0o755) }
            }
        }
        let full = Array(self.path.utf8) + [0x2f] + name + [0]
        let fd = full.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { open($0.baseAddress!, O_CREAT | O_WRONLY | O_TRUNC, mode) }
        }
        try #require(fd >= 0)
        try FileHandle(fileDescriptor: fd, closeOnDealloc: true).write(contentsOf: content)
    }

    @discardableResult
    func commit(_ message: String) throws -> ObjectID {
        try self.git(["add", "-A"])
        try self.git(["commit", "-q", "--allow-empty", "-m", message])
        return try self.id("HEAD")
    }

    /// Names that break careless encoding, as a path from the root and what it holds.
    static let oddNames = [
        "with space", "quo\"te'", "amp&ersand", "per%41cent", "ha#sh", "plus+", "new\nline", "ta\tb", "back\\slash",
        "häßlich", "日本", "ques?tion", "-dash", "semi;colon", "eq=ual", "odd dir & co/inner%20file",
    ]

    static let notUTF8: [UInt8] = [0x66, 0xff, 0xfe, 0x2e, 0x74]

    /// Files of every kind, and two commits: `v1` and `light` name the first, HEAD is the second.
    static func furnished() throws -> TestRepository {
        let repository = try TestRepository()
        try repository.write("README", "hello\n")
        try repository.write("empty", "")
        try repository.write(Array("bin/tool".utf8), Data("#!/bin/sh\n".utf8), mode: 0o755)
        try repository.write("src/lib/deep.c", "int x;\n")
        try repository.write("src/main.c", "int main;\n")
        for name in self.oddNames { try repository.write(name, "content of \(name)") }
        try repository.write(self.notUTF8, Data("not utf-8".utf8))
        try FileManager.default.createSymbolicLink(atPath: repository.path + "/link", withDestinationPath: "src/main.c")
        try repository.git(["add", "-A"])
        let submodule = String(repeating: "12", count: 20)
        try repository.git(["update-index", "--add", "--cacheinfo", "160000,\(submodule),sub"])
        try repository.git(["commit", "-q", "-m", "First commit\n\nwith a body"])
        try repository.git(["tag", "-a", "-m", "annotated", "v1"])
        try repository.git(["tag", "light"])
        try repository.git(["branch", "side/branch"])
        try repository.write("README", "hello again\n")
        try repository.git(["commit", "-q", "-m", "Second commit", "README"])
        return repository
    }
}
