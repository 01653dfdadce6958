import GitHashing
import GitObjects
import Glibc
import LinuxSystem

/// The contents of an upper's files, by the ids that Git gives them.
struct UpperFiles {
    let upper: Int32
    let deadline: Deadline

    private static let chunk = 256 << 10

    /// No link is followed. Throws ETIMEDOUT at the deadline, or what reading fails with.
    func contents(_ question: ChangeComparison.Question) throws(SystemError) -> ChangeComparison.Contents {
        guard !deadline.hasPassed else { throw late(question) }
        do throws(SystemError) {
            let place = try Directory.open(
                beneath: upper, bytes: question.path, flags: File.pathOnly)
            let status = try FileStatus(of: place.raw)
            switch status.mode & S_IFMT {
            case S_IFLNK where question.isLink:
                return .id(.hash(blob: try File.linkTarget(of: place.raw), kind: question.kind))
            case S_IFREG where !question.isLink:
                // By the descriptor: what has this name by now may be a device.
                let file = try File.open("/proc/self/fd/\(place.raw)", O_RDONLY | File.noAccessTime)
                return try hash(file.raw, size: status.size, question)
            default:
                return .changing
            }
        } catch  where [.notFound, .notADirectory, .tooManyLinks].contains(error.errno) {
            return .vanished
        }
    }

    private func hash(
        _ file: Int32, size: UInt64, _ question: ChangeComparison.Question
    ) throws(SystemError) -> ChangeComparison.Contents {
        var hasher = ObjectHasher(kind: question.kind, type: .blob, size: size)
        var done: UInt64 = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(UInt64(Self.chunk), size + 1)), alignment: 8)
        defer { buffer.deallocate() }
        while true {
            guard !deadline.hasPassed else { throw late(question) }
            let count = try File.read(file, into: buffer, at: Int64(done))
            hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            done += UInt64(count)
            guard done <= size else { return .changing }
            if count < buffer.count { break }
        }
        return done == size ? .id(hasher.finish()) : .changing
    }

    private func late(_ question: ChangeComparison.Question) -> SystemError {
        SystemError(.timedOut, "reading", String(decoding: question.path, as: UTF8.self))
    }
}
