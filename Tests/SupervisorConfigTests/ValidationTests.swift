import Supervision
import SupervisorConfig
import Testing

@Suite struct ValidationTests {
    @Test(arguments: [
        ("supervisor.socket", "relative.sock", "must be an absolute path"),
        ("supervisor.socket", "/a/../b", "must not contain"),
        ("supervisor.run_dir", "/", "must not be `/`"),
        ("supervisor.state_dir", "/a//b", "must not be `/`"),
        ("supervisor.mountpoint_roots", "/ok,nope", "`nope` must be an absolute path"),
        ("supervisor.mount_root", "/var/lib/antares/upper/mnt", "must not contain each other"),
        ("supervisor.listen", "2726", "is not HOST:PORT"),
        ("supervisor.listen", "127.0.0.1:70000", "is not HOST:PORT"),
        ("supervisor.listen", "0.0.0.0:2726", "is not a loopback address"),
        ("supervisor.listen", "[fe80::1]:1", "is not a loopback address"),
        ("supervisor.unmount_timeout", "0s", "is not between 100ms and 60s"),
        ("supervisor.request_timeout", "2h", "is not between"),
        ("supervisor.spare_workers", "-1", "is not between 0 and 256"),
        ("supervisor.minimum_rate", "0", "at least 1 byte"),
        ("supervisor.worker_user", "", "must not be empty"),
        ("cache.limit", "1MiB", "is too little"),
        ("cache.high_watermark", "101", "is not between 1 and 100"),
        ("cache.low_watermark", "95", "must be below high_watermark, which is 95"),
        ("origins.Main.url", "http://a", "1 to 64 characters"),
        ("origins.a.url", "ftp://a", "must begin with http://"),
        ("origins.a.url", "http://", "names no host"),
        ("origins.a.url", "http://a/", "must not end with `/`"),
        ("origins.a.url", "http://a/?q", "no query"),
        ("origins.a.url", "http://user:pass@a", "use token_file"),
        ("origins.a.url", "http://a b", "without spaces"),
        ("origins.a.lfs", "http://a", "needs a `url`"),
    ])
    func refuses(key: String, value: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) {
            try ConfigurationLoader.load(text: "", name: "s", flags: [(key, value)])
        }
        #expect(error?.problems.count == 1)
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
        let subject = key.split(separator: ".").prefix(2).joined(separator: ".")
        #expect(error?.problems.first?.key.hasPrefix(subject) == true)
    }

    @Test(arguments: ["127.0.0.1:0", "127.9.9.9:65535", "[::1]:2726", "localhost:1"])
    func loopbackMayListen(address: String) throws {
        let flags = [(key: "supervisor.listen", value: address)]
        #expect(try ConfigurationLoader.load(text: "", name: "s", flags: flags).configuration.listen == address)
    }

    @Test func theSocketPathFitsItsAddress() throws {
        let longest = "/" + String(repeating: "s", count: 106)
        let flags = [(key: "supervisor.socket", value: longest)]
        #expect(try ConfigurationLoader.load(text: "", name: "s", flags: flags).configuration.socket == longest)
        let error = #expect(throws: ConfigurationError.self) {
            try ConfigurationLoader.load(text: "", name: "s", flags: [("supervisor.socket", longest + "s")])
        }
        #expect(error?.description.contains("has 108 bytes") == true)
    }

    @Test func oneOriginIsTheDefault() {
        func problems(_ first: Bool, _ second: Bool) -> [String] {
            let text =
                "[origins.a]\nurl=\"http://a\"\ndefault=\(first)\n[origins.b]\nurl=\"http://b\"\ndefault=\(second)\n"
            do throws(ConfigurationError) {
                _ = try ConfigurationLoader.load(text: text, name: "s")
                return []
            } catch {
                return error.problems.map(\.description)
            }
        }
        #expect(problems(true, false) == [])
        #expect(problems(true, true) == ["s:6: origins.b.default: `a` is the default already; only one can be"])
        #expect(problems(false, false) == ["s: origins: none of a, b is the default; set `default = true` in one"])
    }

    @Test func quantities() {
        #expect(Quantity.duration("10s") == .seconds(10))
        #expect(Quantity.duration("250 ms") == .milliseconds(250))
        #expect(Quantity.duration("3") == .seconds(3))
        #expect(Quantity.duration("-1s") == nil)
        #expect(Quantity.duration("s") == nil)
        #expect(Quantity.duration("99999999999999999h") == nil)
        #expect(Quantity.bytes("64KiB") == 65536)
        #expect(Quantity.bytes("1GB") == 1_000_000_000)
        #expect(Quantity.bytes("2T") == 2 << 40)
        #expect(Quantity.bytes("99999999999TiB") == nil)
        #expect(Quantity.bytes("1.5GiB") == nil)
        for bytes: UInt64 in [0, 1, 1023, 1024, 1025, 100 << 30, .max] {
            #expect(Quantity.bytes(Quantity.text(bytes: bytes)) == bytes)
        }
        for duration: Duration in [.zero, .nanoseconds(1), .milliseconds(1500), .seconds(5)] {
            #expect(Quantity.duration(Quantity.text(duration)) == duration)
        }
    }
}
