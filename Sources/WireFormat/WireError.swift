/// A message that does not follow the protocol. The connection it came on is closed.
public enum WireError: Error, Hashable, Sendable {
    /// It ends before a field does.
    case truncated
    /// Its length field differs from the datagram's length.
    case lengthMismatch
    /// A field has a value outside its range; the name says which.
    case invalid(String)
    /// Bytes follow the last field.
    case trailingBytes
}
