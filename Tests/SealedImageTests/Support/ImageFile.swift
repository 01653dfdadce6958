import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import SealedImage
import Testing

/// An image in a directory of its own, and what the kernel and the tools of EROFS say of it.
final class ImageFile {
    let directory: String
    let path: String

    init() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/sealed.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(Errno.current, "mkdtemp", base) }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        path = directory + "/image"
    }

    deinit {
        let at = directory.lastIndex(of: "/") ?? directory.startIndex
        if let parent = try? Directory.open(String(directory[..<at])) {
            try? TreeRemoval.remove(at: parent.raw, String(directory[directory.index(after: at)...]))
        }
    }

    func write(_ tree: GeneratedTree, time: Int64 = 1_700_000_000, changeTime: Int64 = 1_700_000_009) throws
        -> SealedImage.Summary
    {
        let file = try File.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        return try SealedImage.write(tree.root, of: tree, time: time, changeTime: changeTime, to: file.raw)
    }

    /// Makes the image of a tree from the one of another tree.
    func write(
        _ tree: GeneratedTree, madeFrom base: ImageFile, of former: GeneratedTree, time: Int64 = 1_700_000_000,
        changeTime: Int64 = 1_700_000_009
    ) throws -> SealedImage.Summary {
        let (file, image) = (
            SharedFD(try File.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)),
            SharedFD(try File.open(base.path, O_RDONLY))
        )
        let both = BothTrees(trees: [tree, former])
        return try SealedImage.write(
            tree.root, of: both,
            madeFrom: SealedImage.Base(file: image.raw, bytes: Int(try File.size(of: image.raw)), root: former.root),
            time: time, changeTime: changeTime, to: file.raw)
    }

    /// Exit status and output of a command whose words have no spaces.
    func run(_ command: String) -> (status: Int32, output: String) {
        guard let pipe = popen("\(command) 2>&1", "r") else { return (-1, "popen") }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { output += buffer[..<count] }
        return (pclose(pipe) >> 8, String(decoding: output, as: UTF8.self))
    }

    func mount() throws -> DetachedMount {
        let context = try FilesystemContext("erofs")
        try context.set("source", path)
        try context.set("ro")
        try context.create()
        return try context.mount([.readOnly, .noSetuid, .noDevices])
    }

    /// Every path below an open directory, as lstat(2) and readlink(2) show it.
    static func walk(_ root: Int32, _ prefix: [UInt8] = []) throws -> [[UInt8]: Found] {
        var result: [[UInt8]: Found] = [:]
        for name in try Directory.names(of: root) {
            let path = prefix.isEmpty ? name : prefix + [0x2f] + name
            var status = stat()
            let text = name.map { CChar(bitPattern: $0) } + [0]
            try check(
                fstatat(root, text, &status, AT_SYMLINK_NOFOLLOW), "fstatat", String(decoding: path, as: UTF8.self))
            var found = Found(status)
            if status.st_mode & S_IFMT == S_IFLNK {
                var buffer = [UInt8](repeating: 0, count: 4096)
                let count = try buffer.withUnsafeMutableBytes { bytes in
                    let place = try #require(bytes.assumingMemoryBound(to: CChar.self).baseAddress)
                    return readlinkat(root, text, place, bytes.count)
                }
                found.target = Array(buffer[..<max(count, 0)])
            }
            result[path] = found
            if status.st_mode & S_IFMT == S_IFDIR {
                let child = OwnedFD(taking: try check(openat(root, text, O_RDONLY | O_DIRECTORY), "openat"))
                result.merge(try walk(child.raw, path)) { first, _ in first }
            }
        }
        return result
    }

    struct Found: Hashable {
        var mode: UInt32
        var size: UInt64
        var links: Int
        var owner: UInt32
        var time: Int64
        var target: [UInt8]?

        init(_ status: stat) {
            mode = status.st_mode
            size = UInt64(status.st_size)
            links = Int(status.st_nlink)
            owner = status.st_uid
            time = Int64(status.st_mtim.tv_sec)
        }
    }
}

/// What either of two trees has.
private struct BothTrees: TreeSource {
    let trees: [GeneratedTree]

    func directory(_ id: ObjectID) throws(SealedImageError) -> PackedDirectory {
        for tree in trees { if let found = tree.directories[id] { return found } }
        throw .incomplete(directory: id)
    }

    func link(_ id: ObjectID) throws(SealedImageError) -> [UInt8] {
        for tree in trees { if let found = tree.links[id] { return found } }
        throw .link(id)
    }
}
