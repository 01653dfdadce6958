import CAntares
import Glibc

/// A block device over a file (loop(4)). It frees itself when this value and every filesystem on it are gone, however their processes ended.
public struct LoopDevice: ~Copyable, Sendable {
    public let path: String
    private let device: OwnedFD

    /// Takes a free device. The file is written without the page cache where its filesystem can do that. Throws ENOENT where the kernel has no
    /// loop devices, EPERM or EACCES without the right to use them.
    public init(over file: Int32) throws(SystemError) {
        var name = [CChar](repeating: 0, count: 64)
        device = OwnedFD(taking: try check(ant_loop_attach(file, &name, name.count), "LOOP_CONFIGURE", "/dev/loop"))
        path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The device that stands over the file at `path` now, as sysfs has it; nil if there is none.
    public static func path(over path: String) throws(SystemError) -> String? {
        for name in try Directory.names("/sys/block").map({ String(decoding: $0, as: UTF8.self) })
        where name.hasPrefix("loop") {
            guard let backing = try? File.text("/sys/block/\(name)/loop/backing_file") else { continue }
            if backing.hasSuffix("\n"), backing.dropLast() == path { return "/dev/\(name)" }
        }
        return nil
    }
}
