import Supervision

/// What becomes of a configuration that was read again while the supervisor runs.
public struct ConfigurationReload: Hashable, Sendable {
    /// What is in force from now on: the old one, with everything new that can be changed without a restart.
    public private(set) var result: LoadedConfiguration
    /// Keys that have another value now.
    public private(set) var applied: [String] = []
    /// Keys whose new value counts after a restart.
    public private(set) var postponed: [String] = []

    public init(from old: LoadedConfiguration, to new: LoadedConfiguration) {
        result = old
        for (section, settings) in SettingTables.sections {
            for setting in settings {
                let key = "\(section).\(setting.name)"
                guard setting.text(in: old.configuration) != setting.text(in: new.configuration) else { continue }
                switch setting.change {
                case .afterRestart:
                    postponed.append(key)
                case .afterReload:
                    setting.copy(from: new.configuration, to: &result.configuration)
                    result.sources[key] = new.source(of: key)
                    applied.append(key)
                }
            }
        }
        let names = Set((old.configuration.origins + new.configuration.origins).map(\.name)).sorted()
        postponed += names.filter { Self.origin($0, old) != Self.origin($0, new) }.map { "origins.\($0)" }
    }

    private static func origin(_ name: String, _ loaded: LoadedConfiguration) -> OriginConfiguration? {
        loaded.configuration.origins.first { $0.name == name }
    }
}
