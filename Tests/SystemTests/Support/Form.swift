/// What the mounts of a farm stand on. A test that takes both holds for both.
enum Form: String, CaseIterable, Sendable {
    /// The worker's FUSE mount: metadata and data on demand.
    case lazy
    /// A sealed image and the object files; the worker has fetched what is missing.
    case sealed
}
