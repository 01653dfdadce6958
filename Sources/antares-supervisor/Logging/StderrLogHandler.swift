import Glibc
import Logging
import Supervision

/// Sends swift-log's events to a `LogWriter`, and keeps the last ones.
struct StderrLogHandler: LogHandler {
    let part: LogPart
    let writer: LogWriter
    let format: LogFormat
    let levels: LogLevels
    let ring: LogRing
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    /// Of a copy that is to say less.
    private var own: Logger.Level?

    init(part: LogPart, writer: LogWriter, format: LogFormat, levels: LogLevels, ring: LogRing) {
        self.part = part
        self.writer = writer
        self.format = format
        self.levels = levels
        self.ring = ring
    }

    /// The same for another part.
    func of(_ part: LogPart) -> StderrLogHandler {
        StderrLogHandler(part: part, writer: writer, format: format, levels: levels, ring: ring)
    }

    var logLevel: Logger.Level {
        get { max(own ?? .trace, Logger.Level(levels.level(of: part))) }
        set { own = newValue }
    }

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
        ring.add(
            time: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000,
            LogLevel(rawValue: level.rawValue) ?? .info, part: part, message, fields)
        writer.write(format.line(time: time, level: level, part: part, message: message, fields: fields))
    }
}

/// What the supervision logs or passes on, with its fields in their order.
struct ServiceLog: SupervisorLog {
    let handler: StderrLogHandler

    func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {
        relay(level, of: handler.part, message, fields)
    }

    var droppedLines: UInt64 { handler.writer.droppedLines }

    func relay(_ level: LogLevel, of part: LogPart, _ message: String, _ fields: [(String, String)]) {
        let handler = handler.of(part)
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
