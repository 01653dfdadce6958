import LinuxSystem
import TOMLKit

/// Makes a configuration of one of the ScorpioFS daemon (scorpio.toml: flat keys, or the sections server, dicfuse and antares).
public enum ScorpioImport {
    /// Its key, in any of the places where it may stand, and ours. Its `lfs_url` is not among them: it was never used there, and with ours the
    /// files of a mount would be others.
    private static let keys: [(theirs: [String], ours: String)] = [
        (["base_url", "server.base_url"], "origins.main.url"),
        (["antares_upper_root", "antares.upper_root"], "supervisor.upper_root"),
        (["antares_mount_root", "antares.mount_root"], "supervisor.mount_root"),
        (["store_path", "dicfuse.store_path"], "cache.dir"), (["log_level"], "supervisor.log_level"),
    ]

    /// The text of our file. Throws what our own checks find wrong with it, such as paths that are not absolute.
    public static func configuration(path: String) throws(ConfigurationError) -> String {
        let text: String
        do throws(SystemError) {
            text = try File.text(path)
        } catch {
            throw ConfigurationError([
                ConfigurationProblem(.file(path, line: nil), "", "cannot be read: \(error.errno)")
            ])
        }
        return try configuration(text: text, name: path)
    }

    public static func configuration(text: String, name: String) throws(ConfigurationError) -> String {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch {
            throw ConfigurationError([ConfigurationProblem(.file(name, line: nil), "", "is not TOML")])
        }
        var values: [String: String] = [:]
        for key in table.keys {
            if let section = table[key]?.table {
                for inner in section.keys { values["\(key).\(inner)"] = plain(section[inner]) }
            } else {
                values[key] = plain(table[key])
            }
        }
        var flags: [(key: String, value: String)] = []
        var used: Set<String> = []
        for (theirs, ours) in keys {
            // A section wins over a flat key, as there.
            for name in theirs.reversed() {
                guard let value = values[name], !value.isEmpty else { continue }
                if !used.isSuperset(of: theirs.filter { values[$0] != nil }) { flags.append((key: ours, value: value)) }
                used.formUnion(theirs)
            }
        }
        let loaded = try ConfigurationLoader.load(text: "", name: name, flags: flags)
        let left = values.keys.filter { !used.contains($0) }.sorted()
        let comments = left.map { "# has no counterpart: \($0) = \(TOMLText.quoted(values[$0] ?? ""))\n" }
        return loaded.file + "\n" + comments.joined()
    }

    private static func plain(_ value: (any TOMLValueConvertible)?) -> String {
        guard let value else { return "" }
        return value.string ?? value.int.map(String.init) ?? value.bool.map { "\($0)" } ?? "\(value.debugDescription)"
    }
}
