import CAntares
import Glibc

/// A filesystem being configured (fsopen(2)). What the kernel says about a failure is in the error's detail.
public struct FilesystemContext: ~Copyable, Sendable {
    /// Attributes of a mount (fsmount(2), MOUNT_ATTR_*).
    public struct Attributes: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let readOnly = Attributes(rawValue: 0x1)
        public static let noSetuid = Attributes(rawValue: 0x2)
        public static let noDevices = Attributes(rawValue: 0x4)
        public static let noAccessTime = Attributes(rawValue: 0x10)
    }

    private let file: OwnedFD
    private let type: String

    public init(_ type: String) throws(SystemError) {
        self.type = type
        file = OwnedFD(taking: try check(ant_fsopen(type), "fsopen", type))
    }

    /// The filesystem of the mount whose root is open as `root` (fspick(2)), to be reconfigured. The mount need not be attached.
    public init(of root: Int32) throws(SystemError) {
        type = "filesystem"
        file = OwnedFD(taking: try check(ant_fspick(root), "fspick"))
    }

    /// Has what was set take effect on a filesystem that exists (FSCONFIG_CMD_RECONFIGURE). Setting `ro` throws EBUSY while a file is open for
    /// writing in any mount of it, or is deleted and still open.
    public borrowing func reconfigure() throws(SystemError) {
        try checked(ant_fsconfig_reconfigure(file.raw), "reconfigure")
    }

    public borrowing func set(_ key: String) throws(SystemError) {
        try checked(ant_fsconfig_flag(file.raw, key), key)
    }

    public borrowing func set(_ key: String, _ value: String) throws(SystemError) {
        try checked(ant_fsconfig_string(file.raw, key, value), "\(key)=\(value)")
    }

    public borrowing func set(_ key: String, fd: Int32) throws(SystemError) {
        try checked(ant_fsconfig_fd(file.raw, key, fd), key)
    }

    /// Makes the superblock (FSCONFIG_CMD_CREATE). May wait for a FUSE server below.
    public borrowing func create() throws(SystemError) {
        try checked(ant_fsconfig_create(file.raw), "create")
    }

    /// A mount of the superblock that is attached nowhere: nobody can see it yet.
    public borrowing func mount(_ attributes: Attributes) throws(SystemError) -> DetachedMount {
        DetachedMount(OwnedFD(taking: try check(ant_fsmount(file.raw, attributes.rawValue), "fsmount", type)))
    }

    private borrowing func checked(_ result: Int32, _ key: String) throws(SystemError) {
        guard result == -1 else { return }
        let error = Errno.current
        throw SystemError(error, "fsconfig", "\(type) \(key)", detail: log())
    }

    private borrowing func log() -> String {
        var messages: [String] = []
        var buffer = [CChar](repeating: 0, count: 512)
        while messages.count < 8, ant_fs_log(file.raw, &buffer, buffer.count) == 0 {
            let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            messages.append(String(decoding: bytes, as: UTF8.self))
        }
        return messages.joined(separator: "; ")
    }
}
