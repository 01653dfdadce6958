/// The Prometheus text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
struct MetricsText {
    enum Kind: String {
        case counter, gauge, histogram
    }

    private(set) var text = ""

    /// Begins a family; its samples follow.
    mutating func family(_ name: String, _ help: String, _ kind: Kind) {
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Labels with an empty name are left out.
    mutating func sample(_ name: String, _ labels: [(String, String)] = [], _ value: Double) {
        let pairs = labels.filter { !$0.0.isEmpty }.map { "\($0.0)=\"\(Self.escaped($0.1, quotes: true))\"" }
        text += pairs.isEmpty ? name : "\(name){\(pairs.joined(separator: ","))}"
        text += " \(Self.number(value))\n"
    }

    /// A gauge with one sample for each value of a label.
    mutating func gauge<Label: MetricLabel>(_ name: String, _ help: String, _ values: [Label: Double]) {
        family(name, help, .gauge)
        for label in Label.allCases { sample(name, label.pairs, values[label] ?? 0) }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, help, .gauge)
        sample(name, [], value)
    }

    mutating func counter(_ name: String, _ help: String, _ value: Double) {
        family(name, help, .counter)
        sample(name, [], value)
    }

    /// One series of a family of histograms.
    ///
    /// - Parameters:
    ///   - bounds: upper bounds in seconds, ascending.
    ///   - buckets: how many are in each, those beyond all bounds last.
    mutating func histogram(
        _ name: String, _ labels: [(String, String)], bounds: [Double], buckets: [UInt64], sum: Double
    ) {
        var total: UInt64 = 0
        for (bound, count) in zip(bounds.map { Self.number($0) } + ["+Inf"], buckets) {
            total += count
            sample(name + "_bucket", labels + [("le", bound)], Double(total))
        }
        sample(name + "_sum", labels, sum)
        sample(name + "_count", labels, Double(total))
    }

    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.append(character)
            }
        }
        return result
    }
}
