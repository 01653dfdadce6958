import LinuxSystem
import Logging
import Supervision

/// From which level on each part is written; may be changed while it runs.
final class LogLevels: Sendable {
    private struct State {
        var general: LogLevel
        var parts: [LogPart: LogLevel]
    }

    private let state: Guarded<State>

    init(_ configuration: SupervisorConfiguration) {
        state = Guarded(State(general: configuration.logLevel, parts: configuration.logLevels))
    }

    func replace(_ configuration: SupervisorConfiguration) {
        state.with { $0 = State(general: configuration.logLevel, parts: configuration.logLevels) }
    }

    func level(of part: LogPart) -> LogLevel {
        state.with { $0.parts[part] ?? $0.general }
    }
}
