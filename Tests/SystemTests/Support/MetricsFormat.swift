/// A strict reader of the Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), and of the conventions that
/// promtool checks.
enum MetricsFormat {
    static func problems(in text: String) -> [String] {
        var reader = Reader()
        if !text.hasSuffix("\n") { reader.problems.append("no end of the last line") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            reader.read(String(line))
        }
        return reader.problems
    }

    private struct Reader {
        var problems: [String] = []
        private var types: [String: String] = [:]
        private var helps: Set<String> = []
        private var family = ""
        private var samples: Set<String> = []

        mutating func read(_ line: String) {
            if line.hasPrefix("# HELP ") {
                let name = word(2, of: line)
                if !helps.insert(name).inserted { problems.append("\(name): a second HELP") }
                if line.split(separator: " ").count < 4 { problems.append("\(name): no text") }
                family = name
            } else if line.hasPrefix("# TYPE ") {
                let (name, type) = (word(2, of: line), word(3, of: line))
                if name != family { problems.append("\(name): TYPE without HELP before it") }
                if types.updateValue(type, forKey: name) != nil { problems.append("\(name): a second TYPE") }
                if !["counter", "gauge", "histogram"].contains(type) { problems.append("\(name): \(type)") }
                if (type == "counter") != name.hasSuffix("_total") {
                    problems.append("\(name): a \(type) of that name")
                }
            } else {
                sample(line)
            }
        }

        private mutating func sample(_ line: String) {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                return problems.append("\(line): no sample")
            }
            let series = String(line[..<space])
            let name = String(series.prefix { $0 != "{" })
            let isName = name.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
            if !isName || name.isEmpty { problems.append("\(name): no name") }
            if !samples.insert(series).inserted { problems.append("\(series): twice") }
            let suffixes = ["_bucket", "_sum", "_count"]
            let ours = name == family || (types[family] == "histogram" && suffixes.contains { family + $0 == name })
            if !ours || types[family] == nil { problems.append("\(series): not of the family \(family)") }
            if types[family] != "gauge", value < 0 { problems.append("\(series): negative") }
            let labels = series.dropFirst(name.count)
            if !labels.isEmpty, !labels.hasPrefix("{") || !labels.hasSuffix("\"}") {
                problems.append("\(series): its labels")
            }
        }

        private func word(_ index: Int, of line: String) -> String {
            let words = line.split(separator: " ")
            return words.count > index ? String(words[index]) : ""
        }
    }
}
