import LinuxSystem
import SupervisorConfig

/// Which configuration a command goes by that looks at this machine: the file that was named, else the running supervisor's, else the defaults and variables.
struct ConfigurationInForce {
    /// For the question to the supervisor, in seconds.
    static let answerLimit = 3

    let loaded: LoadedConfiguration
    /// As TOML with the source of each value.
    let text: String
    /// For people.
    let source: String

    /// - Parameters:
    ///   - file: What `--config` names.
    ///   - socket: The supervisor's.
    init(file: String?, socket: String) throws(ConfigurationError) {
        if file == nil, let running = Self.running(.socket(socket)) {
            self = running
            return
        }
        loaded = try ConfigurationLoader.load(path: file, environment: Environment.variables)
        text = loaded.description
        source =
            file ?? "the defaults and ANTARES_* variables, as no supervisor that tells its own answers at \(socket)"
    }

    private init(_ loaded: LoadedConfiguration, _ text: String, _ source: String) {
        (self.loaded, self.text, self.source) = (loaded, text, source)
    }

    /// Nil if there is none, it does not answer, or is too old to be asked.
    private static func running(_ address: SupervisorAddress) -> ConfigurationInForce? {
        let client = SupervisorClient(address: address, timeout: answerLimit)
        guard let bytes = try? client.configuration(), !bytes.isEmpty,
            let text = String(validating: bytes, as: UTF8.self),
            let loaded = try? ConfigurationLoader.load(text: text, name: "GET /config")
        else { return nil }
        return ConfigurationInForce(loaded, text, "the running supervisor")
    }
}
