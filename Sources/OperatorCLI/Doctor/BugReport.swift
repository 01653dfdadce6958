import Glibc
import LinuxSystem
import Supervision
import SupervisorConfig

/// The contents of a bug report. Whatever may hang is asked with a limit, and nothing below a mount is touched.
struct BugReport {
    /// For each question to the supervisor, in seconds.
    static let answerLimit = 3
    static let packLimit: Duration = .seconds(10)

    let config: String?
    /// The supervisor's, if it was named.
    let socket: String?

    func write(to file: String) throws(SystemError) {
        let variable = Environment.variables["TMPDIR"] ?? ""
        let parent = variable.isEmpty ? "/tmp" : variable
        var template = Array("\(parent)/antares-bugreport.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(.current, "mkdtemp", parent) }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer {
            if let parent = try? Directory.open(parent), let name = directory.split(separator: "/").last {
                try? TreeRemoval.remove(at: parent.raw, String(name))
            }
        }
        var missing: [String] = []
        for (name, content) in contents(&missing) {
            try File.replace("\(directory)/\(name)", with: content, mode: 0o600)
        }
        try File.replace(directory + "/missing", with: Array(missing.map { $0 + "\n" }.joined().utf8), mode: 0o600)
        // It has the configuration and the log: nobody else's.
        try OutputFile.write(file, mode: 0o600) { (output) throws(SystemError) in try pack(directory, output) }
    }

    private func pack(_ directory: String, _ output: Int32) throws(SystemError) {
        let complaints = directory + "/complaints"
        let errors = try File.open(complaints, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        unlink(complaints)
        let spec = ProcessSpec(
            path: "/bin/tar", arguments: ["-czf", "-", "-C", directory, "."], environment: ["PATH=/usr/bin:/bin"],
            fds: [nil, output, errors.raw])
        let process = try ChildProcess.spawn(spec)
        guard process.waitForEnd(until: .after(Self.packLimit)) else {
            process.signal(SIGKILL)
            throw SystemError(.timedOut, "tar")
        }
        guard process.reap() == .code(0) else {
            let complaint = (try? File.text("/proc/self/fd/\(errors.raw)")) ?? ""
            throw SystemError(.ioError, "tar", detail: complaint.split(separator: "\n").first.map(String.init) ?? "")
        }
    }

    private func contents(_ missing: inout [String]) -> [(String, [UInt8])] {
        var result: [(String, [UInt8])] = []
        let inForce: Result<ConfigurationInForce, ConfigurationError>
        do throws(ConfigurationError) {
            inForce = .success(try ConfigurationInForce(file: config, socket: socket ?? GlobalOptions.defaultSocket))
        } catch {
            inForce = .failure(error)
        }
        let socket = (try? inForce.get())?.socket(named: self.socket) ?? self.socket ?? GlobalOptions.defaultSocket
        let client = SupervisorClient(address: .socket(socket), timeout: Self.answerLimit)
        let questions = [
            ("status.json", "/status"), ("mounts.json", "/mounts"), ("metrics", "/metrics"), ("cache.json", "/cache"),
            ("events", "/events?follow=false&after=0"), ("logs.json", "/logs?lines=2000"),
        ]
        for (name, path) in questions {
            do throws(CLIError) {
                result.append((name, try client.raw(path)))
            } catch {
                missing.append("\(name): \(error.message)")
            }
        }
        switch inForce {
        case .success(let inForce):
            if inForce.loaded == nil {
                missing.append("configuration.toml: \(inForce.source)")
            } else {
                result.append(("configuration.toml", Array("# From \(inForce.source).\n\(inForce.text)".utf8)))
            }
            result.append(("doctor.json", DoctorReport(Doctor(inForce, socket: socket).examine()).json))
        case .failure(let error):
            missing += ["configuration.toml", "doctor.json"].map { "\($0): \(error.description)" }
        }
        result.append(("processes", Array(processes().utf8)))
        for (name, path) in [
            ("mountinfo", "/proc/self/mountinfo"), ("meminfo", "/proc/meminfo"), ("version", "/proc/version"),
        ] {
            if let content = try? File.contents(path, limit: 16 << 20) { result.append((name, content)) }
        }
        return result
    }

    /// Of each of our processes its threads: state, what they wait for, their stacks (root only). None of these files takes a lock of the
    /// process's memory.
    private func processes() -> String {
        let names: Set = ["antares-supervi", "antares-worker", "dicfuse-cache", "antares-origin"]
        var text = ""
        for entry in (try? Directory.names("/proc")) ?? [] {
            guard let pid = Int32(String(decoding: entry, as: UTF8.self)),
                let name = (try? File.text("/proc/\(pid)/comm"))?.filter({ $0 != "\n" }), names.contains(name)
            else { continue }
            text += "\(name) \(pid)\n"
            for task in (try? Directory.names("/proc/\(pid)/task")) ?? [] {
                let path = "/proc/\(pid)/task/\(String(decoding: task, as: UTF8.self))"
                for file in ["comm", "stat", "wchan", "syscall", "stack"] {
                    let content = (try? File.text("\(path)/\(file)")) ?? "-"
                    text += "  \(file): \(content.split(separator: "\n").joined(separator: "\n    "))\n"
                }
            }
        }
        return text
    }
}
