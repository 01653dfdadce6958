public import GitObjects
public import LinuxSystem

/// Why a tree has no image. Its mounts stay lazy.
public enum SealedImageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A size or a mode is not known yet.
    case incomplete(directory: ObjectID)
    /// The root of the tree has the name under which overlayfs looks for file contents.
    case reservedName
    /// Directories that lead back to themselves, or more than `SealedImage.maximumDepth` of them inside each other.
    case tooDeep
    /// More paths than `SealedImage.maximumNodes`.
    case tooLarge
    /// The target of a link is empty, holds a NUL, is longer than 4064 bytes, or is not of the size that its entry says.
    case link(ObjectID)
    /// To make it from another image would not pay.
    case tooDifferent
    /// The image that it was to be made from is not what it should be.
    case malformedBase
    case system(SystemError)

    public var description: String {
        switch self {
        case .incomplete(let directory): "directory \(directory) has entries whose size is not known"
        case .reservedName: "the tree's root has an entry \(SealedImage.objectPrefix)"
        case .tooDeep: "directories are nested more than \(SealedImage.maximumDepth) deep"
        case .tooLarge: "the tree has more than \(SealedImage.maximumNodes) paths"
        case .link(let id): "the symbolic link \(id) has an impossible target"
        case .tooDifferent: "the tree is not much like that of the image it was to be made from"
        case .malformedBase: "the image it was to be made from is not what it should be"
        case .system(let error): error.description
        }
    }
}
