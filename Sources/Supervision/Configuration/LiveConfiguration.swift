import LinuxSystem

/// The configuration that is in force now. A reload replaces it; who wants it asks each time.
final class LiveConfiguration: Sendable {
    private let state: Guarded<SupervisorConfiguration>

    init(_ configuration: SupervisorConfiguration) {
        state = Guarded(configuration)
    }

    var current: SupervisorConfiguration {
        get { state.with { $0 } }
        set { state.with { $0 = newValue } }
    }
}
