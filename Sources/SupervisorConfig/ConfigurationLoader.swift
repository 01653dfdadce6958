import LinuxSystem
import Supervision
import TOMLKit

/// Reads `supervisor.toml` and what overlays it: flags win over `ANTARES_*` variables, these over the file, the file over the defaults.
///
/// Strict: a key that nobody knows, a wrong type or a value out of range is an error, and all of them are reported together.
public enum ConfigurationLoader {
    /// Loads a file.
    ///
    /// - Parameters:
    ///   - path: The file; it must exist. Nil loads the defaults.
    ///   - environment: All variables; those named `ANTARES_SUPERVISOR_*`, `ANTARES_CACHE_*` and `ANTARES_ORIGIN_*` count. An empty value
    ///     counts as absent.
    ///   - flags: `section.key` and text, applied in order.
    public static func load(
        path: String?, environment: [String: String] = [:], flags: [(key: String, value: String)] = []
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let text = try path.map { (path) throws(ConfigurationError) in try contents(path) } ?? ""
        return try load(text: text, name: path ?? "", environment: environment, flags: flags)
    }

    private static func contents(_ path: String) throws(ConfigurationError) -> String {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.contents(path, limit: 1 << 20)
        } catch {
            let hint = error.errno == .notFound ? "; name another file with --config" : ""
            throw ConfigurationError([problem(path, "cannot be read: \(error.errno)\(hint)")])
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError([problem(path, "is not UTF-8")])
        }
        return text
    }

    /// Loads the text of a file; `name` stands for it in messages.
    public static func load(
        text: String, name: String, environment: [String: String] = [:], flags: [(key: String, value: String)] = []
    ) throws(ConfigurationError) -> LoadedConfiguration {
        var overlay = Overlay()
        let malformed = overlay.read(text, name: name)
        overlay.read(environment: environment)
        overlay.read(flags: flags)
        // Of a file that is not understood nothing counts, so that nothing can be said of the whole.
        if let malformed { throw ConfigurationError([malformed] + overlay.problems) }
        let loaded = LoadedConfiguration(configuration: overlay.configuration, sources: overlay.sources)
        // A value that could not be read is still at its default, and a missing URL was then complained about already.
        let unreadable = Set(overlay.problems.map(\.key))
        let invalid = ConfigurationValidator.problems(of: loaded, file: name).filter {
            !unreadable.contains($0.key) && !unreadable.contains($0.key + ".url")
        }
        let problems = overlay.problems + invalid
        if !problems.isEmpty { throw ConfigurationError(problems) }
        return loaded
    }

    private static func problem(_ path: String, _ message: String) -> ConfigurationProblem {
        ConfigurationProblem(.file(path, line: nil), "", message)
    }
}

/// The configuration while it is put together.
private struct Overlay {
    var configuration = SupervisorConfiguration()
    var sources: [String: ConfigurationSource] = [:]
    var problems: [ConfigurationProblem] = []

    /// Applies the file; answers the error of a document that is no TOML.
    mutating func read(_ text: String, name: String) -> ConfigurationProblem? {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            let hint = "mend this line first, nothing else of the file is read"
            return ConfigurationProblem(
                .file(name, line: error.source.begin.line), "", "\(error.description); \(hint)")
        } catch {
            return ConfigurationProblem(.file(name, line: nil), "", "is not TOML")
        }
        let document = Document(name: name, lines: KeyLines(text))
        for section in document.sorted(table.keys, in: []) {
            if section == "origins" {
                readOrigins(table, document)
            } else if let known = SettingTables.sections.first(where: { $0.name == section }) {
                guard let inner = table[section]?.table else {
                    report(document.source([section]), section, "must be a section: [\(section)]")
                    continue
                }
                apply(inner, known.settings, section: [section], document, to: \.self)
            } else {
                let names = SettingTables.sections.map(\.name) + ["origins"]
                report(document.source([section]), section, unknown(section, among: names, what: "section"))
            }
        }
        return nil
    }

    private mutating func readOrigins(_ table: TOMLTable, _ document: Document) {
        guard let origins = table["origins"]?.table else {
            report(document.source(["origins"]), "origins", "must be sections: [origins.NAME]")
            return
        }
        for name in document.sorted(origins.keys, in: ["origins"]) {
            guard let inner = origins[name]?.table else {
                report(document.source(["origins", name]), "origins.\(name)", "must be a section: [origins.\(name)]")
                continue
            }
            let index = configuration.origins.count
            configuration.origins.append(OriginConfiguration(name: name, url: ""))
            sources["origins.\(name)"] = document.source(["origins", name])
            apply(inner, SettingTables.origin, section: ["origins", name], document, to: \.origins[index])
        }
    }

    private mutating func apply<Root>(
        _ table: TOMLTable, _ settings: [Setting<Root>], section: [String], _ document: Document,
        to root: WritableKeyPath<SupervisorConfiguration, Root>
    ) {
        for key in document.sorted(table.keys, in: section) {
            let name = (section + [key]).joined(separator: ".")
            let source = document.source(section + [key])
            guard let setting = settings.first(where: { $0.name == key }) else {
                report(source, name, unknownKey(key, in: section, settings.map(\.name)))
                continue
            }
            guard let value = table[key] else { continue }
            set(setting, ConfigurationValue(value), name: name, source, to: root)
        }
    }

    mutating func read(environment: [String: String]) {
        for (section, settings) in SettingTables.sections {
            for setting in settings {
                let variable = SettingTables.variable(section, setting.name)
                guard let text = environment[variable], !text.isEmpty else { continue }
                set(
                    setting, .text(text), name: "\(section).\(setting.name)", .environment(variable), to: \.self)
            }
        }
        for setting in SettingTables.origin where setting.name != "default" {
            let variable = SettingTables.originVariable(setting.name)
            guard let text = environment[variable], !text.isEmpty else { continue }
            let index = defaultOriginIndex()
            let name = "origins.\(configuration.origins[index].name).\(setting.name)"
            set(setting, .text(text), name: name, .environment(variable), to: \.origins[index])
        }
        reportUnknown(environment)
    }

    /// A slip in a variable's name must not pass silently, as one in a key does not.
    private mutating func reportUnknown(_ environment: [String: String]) {
        let known =
            SettingTables.sections.flatMap { section in
                section.settings.map { SettingTables.variable(section.name, $0.name) }
            } + SettingTables.origin.filter { $0.name != "default" }.map { SettingTables.originVariable($0.name) }
        let prefixes = ["ANTARES_SUPERVISOR_", "ANTARES_CACHE_", "ANTARES_ORIGIN_"]
        for variable in environment.keys.sorted()
        where prefixes.contains(where: variable.hasPrefix) && !known.contains(variable) {
            let near = NearestName.find(variable, among: known)
            let hint = near.map { "did you mean `\($0)`?" } ?? "`antares config show` lists the keys"
            report(.environment(variable), "", "unknown variable; \(hint)")
        }
    }

    private mutating func defaultOriginIndex() -> Int {
        if let index = configuration.origins.firstIndex(where: \.isDefault) { return index }
        if configuration.origins.count == 1 { return 0 }
        var origin = OriginConfiguration(name: SettingTables.environmentOrigin, url: "")
        origin.isDefault = true
        configuration.origins.append(origin)
        return configuration.origins.count - 1
    }

    mutating func read(flags: [(key: String, value: String)]) {
        for (key, text) in flags {
            let source = ConfigurationSource.flag("--set \(key)")
            let parts = key.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 3, parts[0] == "origins" {
                guard let setting = SettingTables.origin.first(where: { $0.name == parts[2] }) else {
                    report(source, key, unknownKey(parts[2], in: ["origins"], SettingTables.origin.map(\.name)))
                    continue
                }
                set(setting, .text(text), name: key, source, to: \.origins[originIndex(parts[1], source)])
            } else if parts.count == 2, let section = SettingTables.sections.first(where: { $0.name == parts[0] }) {
                guard let setting = section.settings.first(where: { $0.name == parts[1] }) else {
                    report(source, key, unknownKey(parts[1], in: [section.name], section.settings.map(\.name)))
                    continue
                }
                set(setting, .text(text), name: key, source, to: \.self)
            } else {
                report(source, "", "unknown key `\(key)`; write it as supervisor.KEY, cache.KEY or origins.NAME.KEY")
            }
        }
    }

    private mutating func originIndex(_ name: String, _ source: ConfigurationSource) -> Int {
        if let index = configuration.origins.firstIndex(where: { $0.name == name }) { return index }
        configuration.origins.append(OriginConfiguration(name: name, url: ""))
        sources["origins.\(name)"] = source
        return configuration.origins.count - 1
    }

    private mutating func set<Root>(
        _ setting: Setting<Root>, _ value: ConfigurationValue, name: String, _ source: ConfigurationSource,
        to root: WritableKeyPath<SupervisorConfiguration, Root>
    ) {
        do throws(ValueError) {
            try setting.set(value, in: &configuration[keyPath: root])
            sources[name] = source
        } catch {
            report(source, name, error.message)
        }
    }

    private mutating func report(_ source: ConfigurationSource, _ key: String, _ message: String) {
        problems.append(ConfigurationProblem(source, key, message))
    }

    private func unknown(_ name: String, among names: [String], what: String) -> String {
        if let near = NearestName.find(name, among: names) { return "unknown \(what); did you mean `\(near)`?" }
        return "unknown \(what); known are " + names.joined(separator: ", ")
    }

    private func unknownKey(_ key: String, in section: [String], _ names: [String]) -> String {
        if let home = SettingTables.sections.first(where: { $0.settings.contains { $0.name == key } }) {
            return "unknown key here; `\(key)` belongs in [\(home.name)]"
        }
        return unknown(key, among: names, what: "key")
    }
}

/// A file's name and the lines of its keys.
private struct Document {
    let name: String
    let lines: KeyLines

    func source(_ path: [String]) -> ConfigurationSource {
        .file(name, line: lines.line(of: path))
    }

    /// Keys in the order in which they are written.
    func sorted(_ keys: [String], in section: [String]) -> [String] {
        keys.map { (line: lines.line(of: section + [$0]) ?? 0, key: $0) }
            .sorted { ($0.line, $0.key) < ($1.line, $1.key) }
            .map(\.key)
    }
}
