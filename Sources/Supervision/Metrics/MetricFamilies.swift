import LinuxSystem

/// The values of a label: a fixed set, so that no client can make the number of time series grow.
public protocol MetricLabel: CaseIterable, RawRepresentable, Hashable, Sendable
where RawValue == String, AllCases: RandomAccessCollection {
    /// The name of the label.
    static var labelName: String { get }
    /// What a sample is labelled with: the one label, unless the values stand for several labels' together.
    var pairs: [(String, String)] { get }
}

/// A family without a label.
public enum NoLabel: String, MetricLabel {
    case none = ""

    public static var labelName: String { "" }
}

/// A number that only grows, for each value of a label.
public final class CounterFamily<Label: MetricLabel>: Sendable {
    let name: String
    let help: String
    private let values: Guarded<[Label: UInt64]>

    /// - Parameter name: ends in `_total`.
    init(_ name: String, _ help: String) {
        self.name = name
        self.help = help
        values = Guarded(Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, 0) }))
    }

    func add(_ label: Label, _ count: UInt64 = 1) {
        values.with { $0[label, default: 0] &+= count }
    }

    func value(_ label: Label) -> UInt64 {
        values.with { $0[label] ?? 0 }
    }

    func write(to text: inout MetricsText) {
        text.family(name, help, .counter)
        let values = values.with { $0 }
        for label in Label.allCases { text.sample(name, label.pairs, Double(values[label] ?? 0)) }
    }
}

extension CounterFamily where Label == NoLabel {
    func add(_ count: UInt64 = 1) {
        add(.none, count)
    }
}

/// How long something took, for each value of a label: counts below fixed bounds, and the sum.
public final class HistogramFamily<Label: MetricLabel>: Sendable {
    private struct Series {
        var buckets: [UInt64]
        var sum: Double = 0
    }

    let name: String
    let help: String
    /// Upper bounds in seconds, ascending.
    let bounds: [Double]
    private let series: Guarded<[Label: Series]>

    /// - Parameter name: ends in `_seconds`.
    init(_ name: String, _ help: String, bounds: [Double]) {
        self.name = name
        self.help = help
        self.bounds = bounds
        let empty = Series(buckets: Array(repeating: 0, count: bounds.count + 1))
        series = Guarded(Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, empty) }))
    }

    func observe(_ label: Label, _ duration: Duration) {
        let seconds = Double(duration.nanoseconds) / 1e9
        let index = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        series.with {
            $0[label]?.buckets[index] += 1
            $0[label]?.sum += seconds
        }
    }

    func count(_ label: Label) -> UInt64 {
        series.with { $0[label]?.buckets.reduce(0, +) ?? 0 }
    }

    func write(to text: inout MetricsText) {
        text.family(name, help, .histogram)
        let series = series.with { $0 }
        for label in Label.allCases {
            guard let values = series[label] else { continue }
            text.histogram(name, label.pairs, bounds: bounds, buckets: values.buckets, sum: values.sum)
        }
    }
}

extension HistogramFamily where Label == NoLabel {
    func observe(_ duration: Duration) {
        observe(.none, duration)
    }
}

extension MetricLabel {
    public var pairs: [(String, String)] {
        [(Self.labelName, rawValue)]
    }
}
