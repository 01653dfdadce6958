/// How a view of a mount gives its place to the next one.
extension MountMachine {
    /// What those are told who wanted a view to end that was succeeded meanwhile: they mean the mount.
    static let succeeded = SupervisorError(.conflict, "another view of the mount has taken its place")

    mutating func handleSuccession(_ event: Event) -> [Action] {
        switch (event, phase) {
        case (.yield, .ready):
            phase = .yielding
            return [.publish(state)]
        case (.stayed, .yielding):
            phase = .ready
            defer { unmountWanted = nil }
            return [.publish(state)] + (unmountWanted.map { beginUnmount($0) } ?? [])
        case (.superseded, .yielding):
            phase = .retired
            defer { unmountWanted = nil }
            return finishReset(Self.succeeded) + (unmountWanted == nil ? [] : [.answerGone(Self.succeeded)])
        case (.released, .retired):
            phase = .cleaning(.unmounted)
            return [.endWorkerAndCleanUp]
        default:
            return []
        }
    }
}
