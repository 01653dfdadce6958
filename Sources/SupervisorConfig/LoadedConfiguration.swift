public import Supervision

/// A valid configuration, and where each value came from.
public struct LoadedConfiguration: Hashable, Sendable {
    public var configuration: SupervisorConfiguration
    /// By `section.key`; a key that is missing has its default.
    public var sources: [String: ConfigurationSource]

    public func source(of key: String) -> ConfigurationSource {
        sources[key] ?? .byDefault
    }

    /// The whole configuration as a file.
    public var file: String {
        lines { _ in "" }.joined(separator: "\n")
    }

    /// The whole configuration as TOML that loads to the same, with the source of each value as a comment.
    public var description: String {
        lines { "  # \(source(of: $0))" }.joined(separator: "\n")
    }

    private func lines(_ comment: (String) -> String) -> [String] {
        var lines: [String] = []
        for (section, settings) in SettingTables.sections {
            lines.append("[\(section)]")
            lines += settings.map {
                "\($0.name) = \($0.text(in: configuration))\(comment("\(section).\($0.name)"))"
            }
            lines.append("")
        }
        for origin in configuration.origins {
            lines.append("[origins.\(origin.name)]")
            lines += SettingTables.origin.map {
                "\($0.name) = \($0.text(in: origin))\(comment("origins.\(origin.name).\($0.name)"))"
            }
            lines.append("")
        }
        return lines
    }
}
