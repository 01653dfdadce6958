import LinuxSystem
import Supervision
import SupervisorConfig
import Testing

@Suite struct ShippedFileTests {
    private static var path: String {
        String(#filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()) + "/supervisor.toml"
    }

    @Test func holdsTheDefaults() throws {
        let loaded = try ConfigurationLoader.load(path: Self.path)
        #expect(loaded.configuration == SupervisorConfiguration())
    }

    @Test func hasEveryKey() throws {
        let loaded = try ConfigurationLoader.load(path: Self.path)
        let defaults = try ConfigurationLoader.load(text: "", name: "")
        let keys = defaults.description.split(separator: "\n").filter { $0.contains("  # ") }.count
        #expect(loaded.sources.count == keys)
    }

    @Test func itsOriginIsValidOnceItIsUncommented() throws {
        let text = try File.text(Self.path)
        let example = text.split(separator: "\n").drop { $0 != "# [origins.main]" }
            .map { $0.dropFirst(2) }.joined(separator: "\n")
        let loaded = try ConfigurationLoader.load(text: example, name: "example")
        #expect(loaded.configuration.origins == [OriginConfiguration(name: "main", url: "http://127.0.0.1:8000")])
        #expect(loaded.sources.keys.filter { $0.hasPrefix("origins.main.") }.count == 9)
    }
}
