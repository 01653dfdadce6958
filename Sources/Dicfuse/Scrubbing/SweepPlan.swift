import GitObjects
import LinuxSystem

/// What one of the 256 parts of a store needs: files and records held against each other. No I/O.
enum SweepPlan {
    enum Step: Hashable, Sendable {
        /// File and record: they must agree.
        case check(ObjectID, size: UInt64)
        /// A record that says there is a file, and none.
        case missing(ObjectID, size: UInt64)
        /// A file, and no record that says so.
        case orphan(ObjectID)
    }

    /// - Parameters:
    ///   - files: of the part, in any order; listed before the records were read.
    ///   - records: of the part.
    static func steps(files: [ObjectID], records: [(id: ObjectID, record: BlobRecord)]) -> [Step] {
        var unknown = Set(files)
        var steps: [Step] = []
        for (id, record) in records where record.flags.contains(.present) {
            if unknown.remove(id) != nil {
                steps.append(.check(id, size: record.size))
            } else {
                steps.append(.missing(id, size: record.size))
            }
        }
        return steps + unknown.sorted().map { .orphan($0) }
    }

    /// Where the records of a part begin and where those of the next kind or part do: keys are kind and id.
    static func range(of part: UInt8, kind: ObjectID.Kind) -> (start: [UInt8], end: [UInt8]) {
        ([kind.rawValue, part], part == 255 ? [kind.rawValue + 1] : [kind.rawValue, part + 1])
    }
}

/// How a sweep keeps to its rate: a clock it is told, no waiting of its own.
struct Throttle: Sendable {
    /// Bytes a second; 0 for no limit.
    let rate: UInt64
    private var paidUntil: Deadline

    init(rate: UInt64, now: Deadline) {
        self.rate = rate
        paidUntil = now
    }

    /// Notes that `bytes` were read; until when to pause, if at all. What is less than a tenth of a second is saved up.
    mutating func pause(after bytes: UInt64, now: Deadline) -> Deadline? {
        guard rate > 0 else { return nil }
        // Time that went unused is not caught up with.
        paidUntil = max(paidUntil, now).advanced(
            by: .nanoseconds(Int64(clamping: bytes.multipliedFullWidth(by: 1_000_000_000).low / rate)))
        return paidUntil > now.advanced(by: .milliseconds(100)) ? paidUntil : nil
    }
}

/// What a sweep is for. The greater one takes the place of the smaller.
enum SweepKind: UInt8, Sendable, Comparable, Codable {
    /// The contents of everything, slowly, in the background.
    case contents
    /// After an unclean end: sizes and presence of everything at once, contents of what the index does not know.
    case sizes
    /// The same after the index was lost.
    case rebuild
    /// The contents of everything, as fast as it goes.
    case verify

    static func < (left: SweepKind, right: SweepKind) -> Bool { left.rawValue < right.rawValue }

    var looksAtContents: Bool { self == .contents || self == .verify }

    /// What has to follow it.
    var next: SweepKind? { self == .sizes || self == .rebuild ? .contents : nil }
}
