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

    /// Size of an image and what it holds.
    public struct Summary: Hashable, Sendable {
        public var bytes: Int
        public var nodes: Int
        public var directories: Int
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
        return Summary(bytes: layout.imageSize, nodes: layout.nodes.count, directories: layout.directories.count)
    }

    private static func map(_ file: Int32, size: Int) throws(SealedImageError) -> MappedFile {
        do throws(SystemError) {
            return try MappedFile(allocating: size, of: file)
        } catch {
            throw .system(error)
        }
    }
}
