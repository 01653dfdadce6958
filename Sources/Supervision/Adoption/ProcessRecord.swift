import LinuxSystem

/// The file beside a process's control socket that says which process it is: `<socket>.pid`, holding pid and start time.
enum ProcessRecord {
    static func write(_ identity: ProcessIdentity, socket: String) throws(SystemError) {
        let line = "\(identity.pid) \(identity.startTime)\n"
        try File.replace(socket + ".pid", with: Array(line.utf8), durable: false)
    }

    static func remove(socket: String) {
        try? File.remove(socket)
        try? File.remove(socket + ".pid")
    }

    /// The recorded process if it still lives.
    static func livingProcess(socket: String) -> ChildProcess? {
        guard let text = try? File.text(socket + ".pid") else { return nil }
        let fields = text.split { $0 == " " || $0 == "\n" }
        guard fields.count == 2, let pid = Int32(fields[0]), let start = UInt64(fields[1]),
            let process = try? ChildProcess(adopting: pid)
        else { return nil }
        return process.identity == ProcessIdentity(pid: pid, startTime: start) ? process : nil
    }

    /// The control sockets in a directory, with a record or without.
    static func sockets(in directory: String) throws(SystemError) -> Set<String> {
        let paths = try Directory.names(directory).map { directory + "/" + String(decoding: $0, as: UTF8.self) }
        return Set(
            paths.compactMap { $0.hasSuffix(".sock") ? $0 : $0.hasSuffix(".sock.pid") ? String($0.dropLast(4)) : nil })
    }
}
