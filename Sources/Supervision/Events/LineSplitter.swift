/// Cuts bytes into lines; a line that is too long is cut, and what follows of it passed over.
struct LineSplitter {
    let maximum: Int
    private var rest: [UInt8] = []
    private var isPassing = false

    init(maximum: Int) {
        self.maximum = maximum
    }

    /// The lines that these bytes complete, without their ends; empty ones are left out.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                if !isPassing, !rest.isEmpty { lines.append(rest) }
                rest.removeAll(keepingCapacity: true)
                isPassing = false
            } else if !isPassing {
                rest.append(byte)
                if rest.count == maximum {
                    lines.append(rest)
                    rest.removeAll(keepingCapacity: true)
                    isPassing = true
                }
            }
        }
        return lines
    }
}
