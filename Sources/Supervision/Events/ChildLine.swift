/// A line of the log of a worker or of the cache owner, taken apart. What it says is the process's own word.
struct ChildLine: Hashable {
    var level: LogLevel
    /// `worker` or `cache`.
    var part: String
    var message: String
    var fields: [String: String] = [:]

    /// - Parameter line: without its end. As workers write it, `antares-worker[PID] MOUNT: text`, else as the cache owner does, `LEVEL event=… key=value…`.
    init(_ line: String) {
        let prefix = "antares-worker["
        if line.hasPrefix(prefix), let end = line.firstIndex(of: "]"), let colon = line[end...].firstIndex(of: ":"),
            let pid = Int32(line[line.index(line.startIndex, offsetBy: prefix.count)..<end])
        {
            let mount = line[end..<colon].dropFirst(2)
            (level, part) = (.warning, "worker")
            message = String(line[line.index(after: colon)...].drop { $0 == " " })
            fields["pid"] = "\(pid)"
            if MountID(rawValue: String(mount)) != nil { fields["mount"] = String(mount) }
            return
        }
        part = "cache"
        let word = String(line.prefix { $0 != " " })
        if let known = LogLevel(rawValue: word) {
            level = known
            message = String(line.dropFirst(word.count + 1))
        } else {
            level = .info
            message = line
        }
        for item in message.split(separator: " ") where item.hasPrefix("mount=") {
            fields["mount"] = String(item.dropFirst("mount=".count))
        }
    }
}
