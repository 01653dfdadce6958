import CacheProtocol
public import GitObjects
import LinuxSystem

/// A snapshot's metadata as an EROFS image: every directory, name, mode, size and link, and for each file with contents the
/// overlayfs attributes that redirect its data to an object file (Linux, Documentation/filesystems/overlayfs.rst, "Data-only lower
/// layers"). Owner and group are 0: a job sees its own through an idmapped mount.
public enum SealedImage {
    /// Directory, in the root of the data layer, below which `ab/cdef…` are the objects. Git makes no tree with this name; one that somebody
    /// else made, and that has it in its root, is not sealed: overlayfs looks for a redirect in ordinary layers too.
    public static let objectPrefix = StoreLayout.objects
    /// Levels of directories; a deeper path does not fit PATH_MAX (4096 bytes) anyway.
    public static let maximumDepth = 2048
    /// Few objects can name each other so often that their tree has billions of paths.
    public static let maximumNodes = 1 << 24

    /// Paths by which a tree may differ from a small one that its image is made from.
    static let smallChange = 1000

    /// Size of an image and what was written of it.
    public struct Summary: Hashable, Sendable {
        public var bytes: Int
        public var nodes: Int
        public var directories: Int
        /// Other images can be made from it.
        public var isBase: Bool
    }

    /// An image to make another one from: of a tree that is much the same.
    public struct Base: Sendable {
        let file: Int32
        let bytes: Int
        let root: ObjectID

        /// - Parameters:
        ///   - file: readable, and open as long as this is used.
        ///   - bytes: size of the image, which was found to be what was written and has `Summary.isBase`.
        public init(file: Int32, bytes: Int, root: ObjectID) {
            self.file = file
            self.bytes = bytes
            self.root = root
        }
    }

    /// Writes the image of the tree with this root into a new, empty, writable file. `time` is the time of everything, seconds after
    /// 1970, but for what a changelist has changed (`PackedEntry.Flags.changed`), which shows `changeTime`. The space is allocated first, so that a full disk is ENOSPC here and not a signal later. Nothing is synced.
    public static func write(
        _ root: ObjectID, of source: some TreeSource, time: Int64, changeTime: Int64 = 0, to file: Int32
    ) throws(SealedImageError) -> Summary {
        let layout = try ImageLayout(root: root, source: source)
        let memory = try map(file, size: layout.imageSize)
        let writer = ImageWriter(layout: layout, image: memory.bytes, time: time, changeTime: changeTime)
        try writer.write(source)
        return Summary(
            bytes: layout.imageSize, nodes: layout.nodes.count, directories: layout.directories.count,
            isBase: !layout.hasOwnTimes)
    }

    /// As `write`, by a copy of `base` in which only what differs is written: its cost is that of a copy and of the difference. `source` needs to
    /// know the directories of both trees that differ. Throws `tooDifferent` where a whole image has to be written; `file` may hold anything then.
    public static func write(
        _ root: ObjectID, of source: some TreeSource, madeFrom base: Base, time: Int64, changeTime: Int64 = 0,
        to file: Int32
    ) throws(SealedImageError) -> Summary {
        try copy(base, to: file)
        let layout: ImageLayout
        var moved: [(offset: Int, parent: Int)] = []
        var former = (rootRoom: 0, nodes: 0)
        do {
            let memory = try map(file, size: base.bytes)
            let image = try ImageBase(UnsafeRawBufferPointer(memory.bytes), root: base.root)
            layout = try ImageLayout(root: root, source: source, madeFrom: image)
            for (node, parent) in layout.moved { moved.append((try image.parentReference(of: node), parent)) }
            former = (try image.rootRoom(), image.nodeCount)
        }
        let memory = try map(file, size: layout.imageSize)
        var writer = ImageWriter(layout: layout, image: memory.bytes, time: time, changeTime: changeTime)
        writer.moved = moved
        writer.former = former
        try writer.write(source)
        // What is no longer reached stays in it, so that no third one is made from it.
        return Summary(
            bytes: layout.imageSize, nodes: layout.nodes.count, directories: layout.directories.count, isBase: false)
    }

    /// Reads with read(2) and not through a mapping: a bad sector is an error then, and not a signal.
    private static func copy(_ base: Base, to file: Int32) throws(SealedImageError) {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { chunk.deallocate() }
        do throws(SystemError) {
            var offset = 0
            while offset < base.bytes {
                let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<min(chunk.count, base.bytes - offset)])
                guard try File.read(base.file, into: part, at: Int64(offset)) == part.count else {
                    throw SystemError(.ioError, "pread", "a sealed image")
                }
                try File.write(file, UnsafeRawBufferPointer(part), at: Int64(offset))
                offset += part.count
            }
        } catch {
            throw .system(error)
        }
    }

    private static func map(_ file: Int32, size: Int) throws(SealedImageError) -> MappedFile {
        do throws(SystemError) {
            return try MappedFile(allocating: size, of: file)
        } catch {
            throw .system(error)
        }
    }
}
