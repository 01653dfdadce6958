import Glibc
import LinuxSystem

/// A directory below TMPDIR that everybody may enter.
struct Scratch {
    let path: String

    init(_ name: String) throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/\(name).XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(Errno.current, "mkdtemp", base) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try check(chmod(path, 0o711), "chmod", path)
    }

    func remove() {
        guard let slash = path.lastIndex(of: "/") else { return }
        guard let parent = try? Directory.open(String(path[..<slash])) else { return }
        try? TreeRemoval.remove(at: parent.raw, String(path[path.index(after: slash)...]))
    }
}

/// What a test could not do, in words.
struct Trouble: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
