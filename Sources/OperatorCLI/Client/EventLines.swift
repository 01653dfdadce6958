/// Takes server-sent events apart (WHATWG HTML, 9.2.6), as far as our server uses them: the `data` of each event.
struct EventLines {
    /// Bytes of a line; a longer one is dropped.
    static let maximumLine = 1 << 20

    private var line: [UInt8] = []
    private var isTooLong = false

    /// The data of the events that these bytes complete. Our server's data has no line breaks.
    mutating func take(_ bytes: some Sequence<UInt8>) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !isTooLong, line.starts(with: "data: ".utf8) { found.append(Array(line.dropFirst(6))) }
                line.removeAll(keepingCapacity: true)
                isTooLong = false
            } else if line.count < Self.maximumLine {
                line.append(byte)
            } else {
                isTooLong = true
            }
        }
        return found
    }
}
