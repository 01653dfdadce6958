/// A `Range` header with one range of bytes (RFC 9110 §14.1.2).
enum ByteRange: Equatable {
    /// No range, several, another unit or not understood: the whole is sent.
    case whole
    case part(Range<UInt64>)
    case unsatisfiable

    /// - Parameter size: The length of the whole in bytes.
    init(_ header: String?, size: UInt64) {
        self = .whole
        guard let header, header.hasPrefix("bytes="), !header.contains(",") else { return }
        let parts = header.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return }
        switch (UInt64(parts[0]), UInt64(parts[1])) {
        case (nil, let suffix?) where parts[0].isEmpty:
            self = suffix == 0 || size == 0 ? .unsatisfiable : .part((size - min(suffix, size))..<size)
        case (let first?, nil) where parts[1].isEmpty:
            self = first < size ? .part(first..<size) : .unsatisfiable
        case (let first?, let last?):
            guard first <= last else { return }
            self = first < size ? .part(first..<min(last, size - 1) + 1) : .unsatisfiable
        default: return
        }
    }
}
