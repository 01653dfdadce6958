/// One entry of a Git tree. The name is bytes: Git promises no encoding.
public struct TreeEntry: Hashable, Sendable {
    public var mode: FileMode
    public var id: ObjectID
    public var name: [UInt8]

    public init(mode: FileMode, id: ObjectID, name: [UInt8]) {
        self.mode = mode
        self.id = id
        self.name = name
    }
}
