/// JSON of our own server (RFC 8259), cut into pieces and not otherwise looked at.
enum JSONText {
    /// The objects of the first array, each as it stands there.
    static func objects(ofFirstArrayIn json: [UInt8]) -> [ArraySlice<UInt8>] {
        guard let begin = json.firstIndex(of: UInt8(ascii: "[")) else { return [] }
        var objects: [ArraySlice<UInt8>] = []
        var depth = 0
        var start = begin
        var isInString = false
        var isEscaped = false
        for index in json.indices[begin...].dropFirst() {
            let byte = json[index]
            if isInString {
                if !isEscaped, byte == UInt8(ascii: "\"") { isInString = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if depth == 0 { start = index }
                depth += 1
            case UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 { objects.append(json[start...index]) }
            case UInt8(ascii: "]"):
                if depth == 0 { return objects }
                depth -= 1
            default:
                break
            }
        }
        return objects
    }

    /// Without the end of the line.
    static func trimmed(_ json: [UInt8]) -> [UInt8] {
        Array(json.prefix { $0 != UInt8(ascii: "\n") })
    }
}
