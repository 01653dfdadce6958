/// What an upper layer has at one place, and what an overlay makes of that (Documentation/filesystems/overlayfs.rst).
struct UpperEntry: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case file(isExecutable: Bool, size: UInt64, contents: Contents)
        /// Bytes of the text.
        case symlink(size: UInt64)
        case directory(Directory)
        /// A device, a pipe or a socket.
        case other
        /// What the lower has here is not shown.
        case whiteout
        /// It was gone when it was looked at.
        case vanished
    }

    enum Contents: Hashable, Sendable {
        case own
        /// Those of the file in the lower: where the redirect leads, or at the same place (`trusted.overlay.metacopy`).
        case lower(redirect: [UInt8]?)
    }

    struct Directory: Hashable, Sendable {
        /// Nothing of the lower is shown in it (`trusted.overlay.opaque`).
        var isOpaque = false
        /// Which directory of the lower is shown in it (`trusted.overlay.redirect`): a path that begins with a slash, or another name beside it.
        var redirect: [UInt8]?
        /// Indices of what is in it.
        var children = 0..<0
    }

    /// Index of the directory it is in; of the root its own.
    var parent: Int
    var name: [UInt8]
    var kind: Kind

    var directory: Directory? {
        if case .directory(let directory) = kind { directory } else { nil }
    }

    /// Whether a job sees something here that is of this layer.
    var isShown: Bool {
        switch kind {
        case .whiteout, .vanished: false
        default: true
        }
    }
}
