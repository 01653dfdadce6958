import Glibc
import Logging
import Supervision

/// Sends swift-log's events to a `LogWriter`.
struct StderrLogHandler: LogHandler {
    let label: String
    let writer: LogWriter
    let format: LogFormat
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var fields = metadata.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error { fields["error"] = "\(error)" }
        write(event.level, "\(event.message)", fields.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") })
    }

    func write(_ level: Logger.Level, _ message: String, _ fields: [(String, String)]) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        writer.write(format.line(time: time, level: level, label: label, message: message, fields: fields))
    }
}

/// What the supervision logs, with its fields in their order.
struct ServiceLog: SupervisorLog {
    let handler: StderrLogHandler

    func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {
        let level = Logger.Level(level)
        if level >= handler.logLevel { handler.write(level, message, fields) }
    }
}

extension Logger.Level {
    init(_ level: LogLevel) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        case .critical: self = .critical
        }
    }
}
