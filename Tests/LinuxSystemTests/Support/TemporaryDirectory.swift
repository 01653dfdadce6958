import Glibc
import Testing

@testable import LinuxSystem

extension Trait where Self == ConditionTrait {
    /// The thread sanitizer cannot follow clone(2) with CLONE_VM, by which programs are started, and makes mlock(2) do nothing.
    static var unsanitized: Self { .enabled(if: getenv("ANTARES_SANITIZE") == nil) }
}

/// A directory that goes away with this object, with all that was made or mounted in it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/ls.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(Errno.current, "mkdtemp", base) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        let mounts = (try? MountTable.current()) ?? []
        for mount in mounts.reversed() where mount.mountPoint.hasPrefix(path + "/") {
            try? Mounts.detach(mount.mountPoint)
        }
        let name = String(path[path.index(after: path.lastIndex(of: "/")!)...])
        if let parent = try? Directory.open(File.parent(of: path)) { try? TreeRemoval.remove(at: parent.raw, name) }
    }

    func file(_ name: String, _ text: String = "") throws -> String {
        let path = path + "/" + name
        let file = try File.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try write(text, to: file.raw)
        return path
    }

    func directory(_ name: String) throws -> String {
        try Directory.create(path + "/" + name)
        return path + "/" + name
    }
}

func write(_ text: String, to fd: Int32) throws {
    var text = text
    let result: Result<Void, any Error> = text.withUTF8 { bytes in
        Result { try File.write(fd, UnsafeRawBufferPointer(bytes)) }
    }
    try result.get()
}

/// Whether the reading end of a pipe is at its end: nobody has the writing end open any more. Does not wait.
func isAtEnd(_ fd: Int32) -> Bool {
    var entry = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, 0) == 1 else { return false }
    var byte: UInt8 = 0
    return read(fd, &byte, 1) == 0
}

/// All that can be read until the end.
func readAll(_ file: consuming OwnedFD) throws -> String {
    String(decoding: try File.contents(of: file.raw), as: UTF8.self)
}

/// The error a body throws, or nil.
func systemError(_ body: () throws -> Void) -> SystemError? {
    do {
        try body()
        return nil
    } catch {
        return error as? SystemError
    }
}

/// Marks a file or directory immutable; false where the filesystem has no such mark.
func markedImmutable(_ fd: Int32) -> Bool {
    systemError { try Directory.setImmutable(fd, true) } == nil
}
