import LinuxSystem
import Logging

/// Keeps the fields of every line.
struct CollectingLogHandler: LogHandler {
    let lines: Guarded<[Logger.Metadata]>
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel = Logger.Level.trace

    init(lines: Guarded<[Logger.Metadata]>) {
        self.lines = lines
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.with { $0.append(event.metadata ?? [:]) }
    }
}
