import Glibc
import LinuxSystem

/// A bare Git repository made for a test, and a checkout of its commit.
final class Repository {
    enum Content {
        case file(String)
        case bytes([UInt8])
        case program(String)
        case link(String)
        case submodule
    }

    /// Bare; what the origin serves.
    let path: String
    private let directory: String

    /// The time of every commit.
    static let time = 1_700_000_123

    private init(path: String, directory: String) {
        self.path = path
        self.directory = directory
    }

    /// Writes one commit by git-fast-import(1), where names are bytes that no shell sees.
    convenience init(in directory: String, _ entries: [(String, Content)]) throws {
        self.init(path: directory + "/repository.git", directory: directory)
        try git("init", "-q", "--bare", path)
        try commit(entries)
        try git("symbolic-ref", "HEAD", "refs/heads/main")
    }

    /// The repository of `scripts/verify-tree`: every kind of entry and every awkward name.
    ///
    /// - Parameter textDirectories: Whether directories whose names are not UTF-8 are left out.
    static func ofEveryKind(in directory: String, files: Int, textDirectories: Bool = false) throws -> Repository {
        let repository = Repository(path: directory + "/repository.git", directory: directory)
        let script = Sources.root + "/scripts/lib/make-tree.py"
        let option = textDirectories ? "--text-directories" : ""
        try Program.shell("python3 '\(script)' '\(repository.path)' \(files) \(option)", limit: .seconds(120))
        return repository
    }

    /// Adds a commit with exactly these entries to the branch.
    func commit(_ entries: [(String, Content)], branch: String = "main") throws {
        var stream: [UInt8] = []
        func send(_ text: String) { stream += Array(text.utf8) }
        send("commit refs/heads/\(branch)\ncommitter Test <test@example.invalid> \(Self.time) +0130\ndata 4\ntest\n")
        if (try? head(branch)) != nil { send("from refs/heads/\(branch)^0\ndeleteall\n") }
        for (name, content) in entries {
            let (mode, bytes): (String, [UInt8]) =
                switch content {
                case .file(let text): ("100644", Array(text.utf8))
                case .bytes(let bytes): ("100644", bytes)
                case .program(let text): ("100755", Array(text.utf8))
                case .link(let target): ("120000", Array(target.utf8))
                case .submodule: ("160000", [])
                }
            if case .submodule = content {
                send("M 160000 \(String(repeating: "1", count: 40)) \(Self.quoted(name))\n")
            } else {
                send("M \(mode) inline \(Self.quoted(name))\ndata \(bytes.count)\n")
                stream += bytes + [0x0A]
            }
        }
        let input = directory + "/import"
        let file = try File.open(input, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try stream.withUnsafeBytes { try File.write(file.raw, $0) }
        try Program.shell("git -C '\(path)' fast-import --quiet --force <'\(input)'")
        try File.remove(input)
    }

    func head(_ branch: String = "main") throws -> String {
        try git("rev-parse", "--verify", "refs/heads/\(branch)").filter { !$0.isWhitespace }
    }

    /// A checkout of the commit.
    func worktree(_ commit: String) throws -> String {
        let place = directory + "/worktree-" + commit
        try git("-c", "core.autocrlf=false", "worktree", "add", "-q", "--detach", place, commit)
        return place
    }

    @discardableResult
    func git(_ arguments: String...) throws -> String {
        let here = arguments.first == "init" ? [] : ["-C", path]
        let finished = try Program.run("/usr/bin/git", here + arguments)
        guard finished.succeeded else { throw Trouble("git \(arguments): \(finished.errors)") }
        return finished.output
    }

    private static func quoted(_ name: String) -> String {
        var result = "\""
        for byte in name.utf8 {
            if byte == 0x22 || byte == 0x5C {
                result += "\\" + String(UnicodeScalar(byte))
            } else if byte < 0x20 || byte >= 0x7F {
                let octal = String(byte, radix: 8)
                result += "\\" + String(repeating: "0", count: 3 - octal.count) + octal
            } else {
                result += String(UnicodeScalar(byte))
            }
        }
        return result + "\""
    }
}

/// Where the checkout of this project is.
enum Sources {
    static let root: String = {
        let components = #filePath.split(separator: "/")
        return "/" + components.dropLast(4).joined(separator: "/")
    }()
}
