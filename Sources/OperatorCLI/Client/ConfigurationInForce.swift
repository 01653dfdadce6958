import LinuxSystem
import Supervision
import SupervisorConfig

/// Which configuration a command goes by that looks at this machine: the file that was named, else the running supervisor's, else that of the file which it
/// was started with. Where no supervisor runs, the defaults and variables.
struct ConfigurationInForce {
    /// For the question to the supervisor, in seconds.
    static let answerLimit = 3

    /// Nil if a supervisor runs and nobody tells by what: then the defaults would be a guess.
    let loaded: LoadedConfiguration?
    /// As TOML with the source of each value.
    let text: String
    /// For people: where it is from, or why it is not known.
    let source: String

    /// - Parameters:
    ///   - file: What `--config` names.
    ///   - socket: The supervisor's.
    init(file: String?, socket: String) throws(ConfigurationError) {
        if let file {
            self.init(try ConfigurationLoader.load(path: file, environment: Environment.variables), file)
            return
        }
        switch ServingProcess(socket) {
        case .none:
            self.init(
                try ConfigurationLoader.load(path: nil, environment: Environment.variables),
                "the defaults and ANTARES_* variables, as no supervisor serves \(socket)")
        case .some(let pid):
            self = Self.running(socket, pid)
        case .unknown(let error):
            self.init(unknown: "a supervisor may serve \(socket), but it cannot be asked (\(error.errno))")
        }
    }

    /// The supervisor's: the one that was named, else the configured one.
    func socket(named: String?) -> String {
        named ?? loaded?.configuration.socket ?? GlobalOptions.defaultSocket
    }

    private init(_ loaded: LoadedConfiguration, _ source: String) {
        (self.loaded, text, self.source) = (loaded, loaded.description, source)
    }

    private init(unknown reason: String) {
        (loaded, text, source) = (nil, "", reason)
    }

    private static func running(_ socket: String, _ pid: Int32) -> ConfigurationInForce {
        let reason: String
        do throws(CLIError) {
            let bytes = try SupervisorClient(address: .socket(socket), timeout: answerLimit).configuration()
            if let text = String(validating: bytes, as: UTF8.self),
                let loaded = try? ConfigurationLoader.load(text: text, name: "GET /config")
            {
                return ConfigurationInForce(loaded, text, "the running supervisor")
            }
            reason = "its answer is not understood"
        } catch {
            reason = error.message
        }
        if let file = file(ofProcess: pid), let loaded = try? ConfigurationLoader.load(path: file) {
            let source = "\(file), with which process \(pid) was started; what it goes by now is not known: \(reason)"
            return ConfigurationInForce(loaded, source)
        }
        return ConfigurationInForce(unknown: "what process \(pid) goes by is not known: \(reason)")
    }

    private init(_ loaded: LoadedConfiguration, _ text: String, _ source: String) {
        (self.loaded, self.text, self.source) = (loaded, text, source)
    }

    /// What the process was given as `--config`, if this user may see it (proc_pid_cmdline(5), proc_pid_cwd(5)).
    private static func file(ofProcess pid: Int32) -> String? {
        guard let line = try? File.contents("/proc/\(pid)/cmdline", limit: 1 << 20) else { return nil }
        let words = line.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        let flag = "--config"
        let name =
            words.firstIndex(of: flag).flatMap { words.indices.contains($0 + 1) ? words[$0 + 1] : nil }
            ?? words.first { $0.hasPrefix(flag + "=") }.map { String($0.dropFirst(flag.count + 1)) }
        guard let name, !name.isEmpty else { return nil }
        if name.hasPrefix("/") { return name }
        return (try? File.linkTarget("/proc/\(pid)/cwd")).map { $0 + "/" + name }
    }
}
