/// Which commit a changelist is applied to. The numbers are part of the protocol.
public enum ChangelistBase: UInt8, Sendable, CaseIterable {
    /// The one that the revision names.
    case revision = 0
    /// The one that the change was made from.
    case own = 1
}
