/// What is wrong with the bytes of a Git object.
public struct GitObjectError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: String, Sendable {
        case mode = "the mode is not octal text of a known file type"
        case modeUnterminated = "no space ends the mode"
        case nameUnterminated = "no NUL ends the name"
        case nameEmpty = "the name is empty"
        case idTruncated = "the object id is cut off"
        case tooManyEntries = "there are more entries than allowed"
        case header = "the header is not a commit's"
    }

    public let reason: Reason
    /// Where in the object the bad part begins, in bytes.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "malformed git object at byte \(self.offset): \(self.reason.rawValue)" }
}
