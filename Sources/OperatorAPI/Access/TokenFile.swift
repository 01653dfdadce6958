import Glibc
import LinuxSystem
import Supervision

/// The tokens that clients over TCP show, read again whenever the file is another one: that is how they are rotated.
///
/// A line is a token of at least 16 bytes and, behind a blank, its role (`operator` if none is given). `#` begins a comment. The file may be
/// read by its owner only.
final class TokenFile: Sendable {
    static let minimumLength = 16

    /// What a change of the file changes.
    private struct Stamp: Hashable {
        let inode: UInt64
        let size: Int64
        let seconds: Int
        let nanoseconds: Int
    }

    private struct Entry {
        let token: [UInt8]
        let role: Role
    }

    private struct State {
        var stamp: Stamp?
        var entries: [Entry] = []
    }

    let path: String
    private let state = Guarded(State())

    init(_ path: String) {
        self.path = path
    }

    /// The role of a token; nil if it is none of the file's. Throws `.internalError` if the file cannot be used.
    func role(of token: String) throws(SupervisorError) -> Role? {
        let presented = Array(token.utf8)
        var found: Role?
        // All are compared, each to its end: the time tells nothing of what is in the file.
        for entry in try current() where Self.areEqual(presented, entry.token) { found = found ?? entry.role }
        return found
    }

    /// Throws what is wrong with the file.
    func check() throws(SupervisorError) {
        _ = try current()
    }

    static func areEqual(_ presented: [UInt8], _ token: [UInt8]) -> Bool {
        var difference = UInt(bitPattern: presented.count ^ token.count)
        for (index, byte) in presented.enumerated() {
            difference |= UInt(byte ^ (token.isEmpty ? 0 : token[index % token.count]))
        }
        return difference == 0
    }

    private func current() throws(SupervisorError) -> [Entry] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw unusable("\(Errno.current)") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw unusable("is no regular file") }
        guard status.st_mode & 0o077 == 0 else {
            throw unusable("others than its owner may use it; chmod 600 \(path)")
        }
        let stamp = Stamp(
            inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
        if let entries = state.with({ $0.stamp == stamp ? $0.entries : nil }) { return entries }
        let text: String
        do throws(SystemError) {
            text = String(decoding: try File.regular(path).bytes, as: UTF8.self)
        } catch {
            throw unusable("\(error.errno)")
        }
        let entries = try parse(text)
        state.with { $0 = State(stamp: stamp, entries: entries) }
        return entries
    }

    private func parse(_ text: String) throws(SupervisorError) -> [Entry] {
        var entries: [Entry] = []
        // As editors of other systems write it: with a mark of the byte order, and with CR and LF, which are one character.
        let text = text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let token = words.first, !token.hasPrefix("#") else { continue }
            guard token.utf8.count >= Self.minimumLength else {
                throw unusable("line \(index + 1): a token has at least \(Self.minimumLength) bytes")
            }
            guard words.count < 3, let role = words.count == 2 ? Role(rawValue: String(words[1])) : .operator else {
                let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw unusable("line \(index + 1): behind the token stands nothing or one of \(roles)")
            }
            entries.append(Entry(token: Array(token.utf8), role: role))
        }
        if entries.isEmpty { throw unusable("there is no token in it") }
        return entries
    }

    private func unusable(_ reason: String) -> SupervisorError {
        SupervisorError(.internalError, "token_file \(path): \(reason)")
    }
}
