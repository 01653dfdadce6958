import LinuxSystem

/// An upper that was made, for the overlay that will stand on it: its two directories and, if it is limited, its filesystem.
final class UpperLayer: Sendable {
    let upper: OwnedFD
    let work: OwnedFD
    let filesystem: UpperFilesystem?

    init(upper: consuming OwnedFD, work: consuming OwnedFD, filesystem: UpperFilesystem? = nil) {
        self.upper = upper
        self.work = work
        self.filesystem = filesystem
    }
}
