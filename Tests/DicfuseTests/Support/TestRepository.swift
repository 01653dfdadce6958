import Foundation
import GitObjects

/// A Git repository in a temporary directory, made with the real program.
final class TestRepository: Sendable {
    let directory: String

    /// An object as `git cat-file --batch` gives it.
    struct Object: Sendable {
        var type: String
        var bytes: [UInt8]
    }

    enum Content {
        case file(String)
        case bytes([UInt8])
        case script(String)
        case link(String)
    }

    init() throws {
        directory = try TemporaryDirectory.make("repository")
        _ = try git(["init", "-q", "-b", "main"])
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Writes the files, commits all, and returns the commit.
    func commit(_ files: [String: Content]) throws -> ObjectID {
        for (path, content) in files {
            let place = "\(directory)/\(path)"
            try FileManager.default.createDirectory(
                atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            switch content {
            case .file(let text): try Data(text.utf8).write(to: URL(fileURLWithPath: place))
            case .bytes(let bytes): try Data(bytes).write(to: URL(fileURLWithPath: place))
            case .script(let text):
                try Data(text.utf8).write(to: URL(fileURLWithPath: place))
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: place)
            case .link(let target):
                try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: target)
            }
        }
        _ = try git(["add", "-A"])
        _ = try git(["commit", "-q", "--allow-empty", "-m", "files"])
        return try id("HEAD")
    }

    func tag(_ name: String) throws {
        _ = try git(["tag", name])
    }

    func id(_ revision: String) throws -> ObjectID {
        let text = String(decoding: try git(["rev-parse", revision]), as: UTF8.self)
        guard let id = ObjectID(hex: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Failure(text)
        }
        return id
    }

    /// Stores any bytes as a tree, however wrong, and a commit of it.
    func commit(hostileTree payload: [UInt8]) throws -> ObjectID {
        let tree = String(
            decoding: try git(["hash-object", "-t", "tree", "--literally", "-w", "--stdin"], input: payload),
            as: UTF8.self
        ).trimmingCharacters(in: .whitespacesAndNewlines)
        let commit = """
            tree \(tree)
            author t <t@example.org> 1700000000 +0000
            committer t <t@example.org> 1700000000 +0000

            hostile
            """
        let text = String(
            decoding: try git(
                ["hash-object", "-t", "commit", "--literally", "-w", "--stdin"], input: Array(commit.utf8)),
            as: UTF8.self)
        guard let id = ObjectID(hex: text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw Failure(text)
        }
        return id
    }

    /// All objects, through `git cat-file --batch`.
    func objects() throws -> [ObjectID: Object] {
        let output = try git(["cat-file", "--batch", "--batch-all-objects"])
        var objects: [ObjectID: Object] = [:]
        var position = 0
        while position < output.count, let newline = output[position...].firstIndex(of: 0x0A) {
            let header = String(decoding: output[position..<newline], as: UTF8.self).split(separator: " ")
            guard header.count == 3, let id = ObjectID(hex: header[0]), let size = Int(header[2]) else {
                throw Failure("cat-file: \(header)")
            }
            objects[id] = Object(
                type: String(header[1]), bytes: Array(output[(newline + 1)..<(newline + 1 + size)]))
            position = newline + 1 + size + 1
        }
        return objects
    }

    func resolve(_ name: String) -> ObjectID? {
        try? id("\(name)^{commit}")
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    func git(_ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/git")
        process.arguments =
            ["-C", directory, "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "safe.directory=*"]
            + arguments
        process.environment = [
            "PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_AUTHOR_DATE": "1700000000 +0000",
        ]
        let source = "\(directory).input"
        try Data(input).write(to: URL(fileURLWithPath: source))
        defer { try? FileManager.default.removeItem(atPath: source) }
        process.standardInput = FileHandle(forReadingAtPath: source)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure("git \(arguments) failed") }
        return Array(data)
    }
}

enum TemporaryDirectory {
    /// In memory where that is possible: the tests make and remove many small files.
    static func make(_ name: String) throws -> String {
        let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : NSTemporaryDirectory()
        let path = base + "dicfuse-tests-\(name)-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
