import LinuxSystem
import Probes

/// Copies the upper layer of an overlay with what makes it one: whiteouts, opaque directories, owners, times, hard links.
///
/// What the layer says of its lower by name it says of any other lower, too (Documentation/filesystems/overlayfs.rst). Three things would be wrong over another
/// one: files of which it has only the metadata, so their contents come first (``completing(_:below:program:)``); directories that were renamed from
/// something that is different there, which the caller refuses; and the handle of the file that something was copied up from, which the kernel would look up in
/// the other lower, where it is another file: it is taken away (``forgetOrigins(in:deadline:)``).
enum LayerCopy {
    private static let copy = "/bin/cp"
    private static let origin = "trusted.overlay.origin"

    /// Copies everything from one upper directory to another, by cp(1).
    static func copying(from source: SharedFD, to target: borrowing OwnedFD) throws(SystemError) -> CarryProgram {
        // Not `-a`: with that, attributes that cannot be kept are no failure.
        let arguments = [
            "-dR", "--preserve=mode,ownership,timestamps,links,xattr", "--reflink=auto", "--", "/proc/self/fd/3/.",
            "/proc/self/fd/4",
        ]
        return try CarryProgram(copy, arguments, descriptors: [source.raw, target.raw])
    }

    /// Takes from everything in a layer what it was copied up from. Blocks as long as there is much in it.
    static func forgetOrigins(in layer: borrowing OwnedFD, deadline: Deadline) throws(SystemError) {
        let scan = try UpperScan(of: layer.raw, withMetacopies: false, deadline: deadline)
        for index in scan.entries.indices {
            if deadline.hasPassed { throw SystemError(.timedOut, "removexattr", origin) }
            let path = scan.path(of: index)
            try ExtendedAttributes.remove(below: layer.raw, path.isEmpty ? [0x2E] : path, origin)
        }
    }

    /// Has the kernel bring the contents of these files into the upper, of which there is only the metadata yet (`metacopy`).
    ///
    /// - Parameters:
    ///   - paths: In the mount, without a leading slash.
    ///   - root: The mount's root.
    ///   - program: antares-worker.
    static func completing(
        _ paths: [[UInt8]], below root: borrowing OwnedFD, program: String
    ) throws(SystemError) -> CarryProgram {
        let list = try SharedMemory.sealedFile(name: "antares-paths", Array(paths.joined(separator: [0])))
        return try CarryProgram(program, [CopyUpMode.argument], input: list.raw, descriptors: [root.raw])
    }
}
