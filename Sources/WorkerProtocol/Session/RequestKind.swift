/// What a request of the kernel wants. The numbers are places in the session memory and never change.
public enum RequestKind: Int, Sendable, CaseIterable {
    case lookup = 0
    case attributes = 1
    case readLink = 2
    case read = 3
    case list = 4
    /// READDIRPLUS.
    case listWithAttributes = 5
    case statistics = 6
    /// What is answered without a look at the tree: OPEN, GETXATTR and the like.
    case other = 7

    /// By the code of include/uapi/linux/fuse.h, enum fuse_opcode.
    public init(opcode: UInt32) {
        self =
            switch opcode {
            case 1: .lookup
            case 3: .attributes
            case 5: .readLink
            case 15: .read
            case 17: .statistics
            case 28: .list
            case 44: .listWithAttributes
            default: .other
            }
    }
}
