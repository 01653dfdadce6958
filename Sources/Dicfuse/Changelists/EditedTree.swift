import CacheProtocol
import GitObjects

/// A tree after its edits: the directories that are new, each under the key of its contents. What is as it was has the id it had.
struct EditedTree: Sendable {
    struct Directory: Hashable, Sendable {
        var packed: [UInt8]
        /// The id that Git gives a tree of these entries; nil if the modes of some are not known, or if ids of trees are not.
        var tree: ObjectID?
    }

    var root: ObjectID
    /// By their keys.
    var directories: [ObjectID: Directory]
}

/// Why a tree cannot be edited. The paths begin at its root.
enum EditConflict: Error, Hashable, Sendable {
    /// A file is put where a directory has other files.
    case directoryInTheWay([[UInt8]])
    /// A file is put or taken away below something that is a file and stays one.
    case fileInTheWay([[UInt8]])
    /// What is to be taken away is a directory.
    case notAFile([[UInt8]])
    /// A directory would become what cannot be packed.
    case unfit([[UInt8]])

    var path: [[UInt8]] {
        switch self {
        case .directoryInTheWay(let path), .fileInTheWay(let path), .notAFile(let path), .unfit(let path): path
        }
    }

    /// What is wrong, as a sentence goes on after the place.
    var reason: String {
        switch self {
        case .directoryInTheWay: "is a directory with files that the change does not take away"
        case .fileInTheWay: "is a file, and the change puts something below it"
        case .notAFile: "is a directory, and the change takes it away as a file"
        case .unfit: "would become a directory that cannot be shown"
        }
    }
}
