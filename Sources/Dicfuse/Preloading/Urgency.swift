import Synchronization

/// How urgent something is that was begun in the background: somebody may come to wait for it.
final class Urgency: Sendable {
    private let isWanted = Atomic<Bool>(false)

    var isBackground: Bool { !isWanted.load(ordering: .relaxed) }

    /// Somebody waits for it now.
    func raise() {
        isWanted.store(true, ordering: .relaxed)
    }
}
