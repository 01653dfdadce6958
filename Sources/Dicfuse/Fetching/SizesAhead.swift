import GitObjects

/// Which sizes will be asked for next, where each costs a request of its own: whoever asks for two neighbours in a directory, one after the other, asks
/// for all of it (`ls -l`, `find -size`, make). The window grows while that goes on.
///
/// A state machine: no clock, no lock, no I/O. Memory is bounded by `directoryLimit`.
struct SizesAhead: Sendable {
    private struct Run {
        /// Behind the entry that was asked for last, and behind those that were guessed.
        var next: Int
        var guessed: Int
        var window = Self.smallestWindow

        static let smallestWindow = 4
    }

    static let largestWindow = 32
    static let directoryLimit = 256
    /// Entries without a size of their own, such as directories, lie between.
    private static let gap = 8

    private var runs: [ObjectID: Run] = [:]
    private var order: [ObjectID] = []
    private var oldest = 0

    /// The size of an entry had to be asked for; those to be asked for with it.
    mutating func missed(_ index: Int, of directory: ObjectID, count: Int) -> Range<Int> {
        guard var run = runs[directory], (run.next...(max(run.guessed, run.next) + Self.gap)).contains(index) else {
            if runs[directory] == nil { remember(directory) }
            runs[directory] = Run(next: index + 1, guessed: index + 1)
            return 0..<0
        }
        let begin = max(run.guessed, index + 1)
        let end = max(begin, min(count, index + 1 + run.window))
        run.next = index + 1
        run.guessed = end
        run.window = min(run.window * 2, Self.largestWindow)
        runs[directory] = run
        return begin..<end
    }

    /// The one that came first goes when there are too many.
    private mutating func remember(_ directory: ObjectID) {
        if order.count < Self.directoryLimit {
            order.append(directory)
        } else {
            runs[order[oldest]] = nil
            order[oldest] = directory
            oldest = (oldest + 1) % Self.directoryLimit
        }
    }
}
