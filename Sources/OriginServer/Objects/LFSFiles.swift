import GitObjects
import Glibc
import LinuxSystem
import NIOCore
import NIOPosix

/// The files that git-lfs(1) keeps in a repository. All of it is looked at on threads for that.
struct LFSFiles: Sendable {
    private let directory: String

    /// - Parameter repository: the Git directory.
    init(repository: String) {
        directory = repository + "/lfs/objects"
    }

    /// One that is open.
    struct File: Sendable {
        fileprivate let file: SharedFD
        let size: UInt64

        /// Not empty. Throws `objectDamaged` if the file has become shorter.
        func read(at offset: UInt64, count: UInt64) async throws -> ByteBuffer {
            try await NIOThreadPool.singleton.runIfActive { [file] in
                var bytes = [UInt8](repeating: 0, count: Int(count))
                let found = try bytes.withUnsafeMutableBytes { buffer in
                    try LinuxSystem.File.read(file.raw, into: buffer, at: Int64(offset))
                }
                guard found > 0 else { throw OriginError(.objectDamaged, "a file of LFS became shorter") }
                return ByteBuffer(bytes: bytes[..<found])
            }
        }
    }

    /// Bytes of each file; nil for those that are not here.
    func sizes(of ids: [ObjectID?]) async -> [UInt64?] {
        let found = try? await NIOThreadPool.singleton.runIfActive { ids.map { $0.flatMap(opened)?.size } }
        return found ?? ids.map { _ in nil }
    }

    /// Nil if it is not here.
    func open(_ id: ObjectID) async -> File? {
        (try? await NIOThreadPool.singleton.runIfActive { opened(id) }) ?? nil
    }

    /// Never through a link: the directory may belong to somebody who could read less than this process can.
    private func opened(_ id: ObjectID) -> File? {
        let digits = id.hex
        let path = "\(digits.prefix(2))/\(digits.dropFirst(2).prefix(2))/\(digits)"
        guard let base = try? Directory.open(directory),
            let file = try? Directory.open(beneath: base.raw, path, flags: O_RDONLY | O_NONBLOCK),
            let status = try? FileStatus(of: file.raw), status.mode & S_IFMT == S_IFREG
        else { return nil }
        return File(file: SharedFD(file), size: status.size)
    }
}
