/// How far a sweep is, and what it found.
struct SweepReport: Hashable, Sendable, Codable {
    var kind: SweepKind?
    var isRunning = false
    /// Objects looked at, and how many there are (as far as the index knows), of all stores.
    var objects: UInt64 = 0
    var totalObjects: UInt64 = 0
    /// Bytes read.
    var bytes: UInt64 = 0
    var totalBytes: UInt64 = 0
    /// Set aside because their contents or size were wrong.
    var damaged: UInt64 = 0
    /// Known to the index, but not there.
    var missing: UInt64 = 0
    /// Intact, but not known to the index.
    var adopted: UInt64 = 0
    /// Could not be looked at.
    var failed: UInt64 = 0
    var milliseconds: UInt64 = 0
    /// It was ended before its end.
    var isInterrupted = false
    /// Counts sweeps that were begun, so that one can be told from the next.
    var number: UInt64 = 0
}
