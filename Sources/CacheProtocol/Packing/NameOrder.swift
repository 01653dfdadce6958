import Glibc

/// The order of names in a packed directory: by bytes, a prefix first (not Git's order, which sorts a directory as if its name ended
/// in a slash).
public enum NameOrder {
    /// Negative, zero or positive as memcmp(3).
    public static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let shorter = min(left.count, right.count)
        if shorter > 0, let a = left.baseAddress, let b = right.baseAddress {
            let order = memcmp(a, b, shorter)
            if order != 0 { return Int(order) }
        }
        return left.count - right.count
    }
}
