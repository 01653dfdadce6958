import CacheProtocol

/// What came for a dependency, for those who waited for it.
struct Supplied: Sendable {
    var dependency: Dependency
    var supply: Supply
}

/// A filesystem that a worker serves: it answers operations from what is known, or says what is missing. No input, output or clock.
protocol ServedTree {
    /// Answers `operation`, or names the next thing it needs. `supplied` is what the operation has just been waiting for, if it has.
    mutating func step(_ operation: Operation, supplied: Supplied?) -> Step
    /// Takes note of what came for `dependency`. Nil if it fits, else why not.
    mutating func supply(_ dependency: Dependency, _ supply: Supply) -> Failure?
    /// How an operation is answered that waited for something which could not be had.
    mutating func answer(_ operation: Operation, failing failure: Failure) -> Answer
    /// What to ask for before anybody does, after the last `step`. Nil most of the time.
    mutating func takeAhead() -> AheadRange?
    /// What there is to count of it since the last call.
    mutating func takeAheadCounts() -> AheadCounts
    /// Takes note of what came of it.
    mutating func supply(ahead: AheadSupply)
    /// The socket on which it was asked for is lost.
    mutating func forgetAhead()
    /// Directories that have node ids of their own.
    var directoryCount: Int { get }
}

extension ServedTree {
    mutating func takeAhead() -> AheadRange? { nil }
    mutating func takeAheadCounts() -> AheadCounts { AheadCounts() }
    mutating func supply(ahead: AheadSupply) {}
    mutating func forgetAhead() {}

    mutating func step(_ operation: Operation) -> Step {
        step(operation, supplied: nil)
    }
}
