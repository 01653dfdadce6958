import CAntares
import Glibc

/// A moment on CLOCK_MONOTONIC, which all processes of the machine share: it can travel with a request from process to process and
/// no clock change moves it.
public struct Deadline: Hashable, Comparable, Sendable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    public let nanoseconds: UInt64

    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// Later than anything that happens.
    public static let never = Deadline(nanoseconds: .max)

    public static var now: Deadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Deadline(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    public static func after(_ duration: Duration) -> Deadline {
        now.advanced(by: duration)
    }

    /// `.never` if that is too late to be told; a negative duration counts as zero.
    public func advanced(by duration: Duration) -> Deadline {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return overflow ? .never : Deadline(nanoseconds: sum)
    }

    public var hasPassed: Bool {
        self <= .now
    }

    /// What is left, never negative.
    public var remaining: Duration {
        let now = Deadline.now.nanoseconds
        return .nanoseconds(Int64(clamping: nanoseconds > now ? nanoseconds - now : 0))
    }

    /// How much later than `earlier` it is, never negative.
    public func since(_ earlier: Deadline) -> Duration {
        .nanoseconds(Int64(clamping: nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0))
    }

    /// What is left in milliseconds, rounded up, for poll(2) and epoll_wait(2); -1 (for ever) for `.never`.
    public var pollTimeout: Int32 {
        if self == .never { return -1 }
        let now = Deadline.now.nanoseconds
        guard nanoseconds > now else { return 0 }
        return Int32(clamping: (nanoseconds - now + 999_999) / 1_000_000)
    }

    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
