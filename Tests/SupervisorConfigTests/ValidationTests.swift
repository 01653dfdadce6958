import Supervision
import Testing

@testable import SupervisorConfig

@Suite struct ValidationTests {
    @Test(arguments: [
        ("supervisor.socket", "relative.sock", "must be an absolute path"),
        ("supervisor.socket", "/a/../b", "must not contain"),
        ("supervisor.run_dir", "/", "must not be `/`"),
        ("supervisor.state_dir", "/a//b", "must not be `/`"),
        ("supervisor.mountpoint_roots", "/ok,nope", "`nope` must be an absolute path"),
        ("supervisor.mount_root", "/var/lib/antares/upper/mnt", "must not contain each other"),
        ("supervisor.mountpoint_roots", "/builds,/var/lib/antares/upper", "must not contain each other"),
        ("supervisor.mountpoint_roots", "/var/lib/antares/cache/x", "must not contain each other"),
        ("supervisor.listen", "2726", "is not HOST:PORT"),
        ("supervisor.listen", "127.0.0.1:70000", "is not HOST:PORT"),
        ("supervisor.listen", "0.0.0.0:2726", "is not a loopback address"),
        ("supervisor.listen", "[fe80::1]:1", "is not a loopback address"),
        ("supervisor.listen", "farm.example:1", "set token_file, tls_certificate, tls_key; or serve"),
        ("supervisor.tls_key", "/k", "is of no use without tls_certificate"),
        ("supervisor.tls_certificate", "/c", "is of no use without tls_key"),
        ("supervisor.unmount_timeout", "0s", "is not between 100ms and 60s"),
        ("supervisor.request_timeout", "2h", "is not between"),
        ("supervisor.on_stop", "leave", "is not \"unmount\" or \"keep\""),
        ("supervisor.spare_workers", "-1", "is not between 0 and 256"),
        ("supervisor.minimum_rate", "0", "at least 1 byte"),
        ("supervisor.worker_user", "", "must not be empty"),
        ("supervisor.upper_storage", "disk", "is not one of \"directory\", \"tmpfs\", \"image\""),
        ("supervisor.upper_limit", "1MiB", "is not between 16MiB and 16TiB"),
        ("supervisor.upper_inode_limit", "-1", "is negative"),
        ("cache.limit", "1MiB", "is too little"),
        ("cache.high_watermark", "101", "is not between 1 and 100"),
        ("cache.low_watermark", "95", "must be below high_watermark, which is 95"),
        ("cache.inode_limit", "-1", "is negative"),
        ("cache.full_disk_memory", "2TiB", "1TiB is the most"),
        ("cache.sweep_rate", "1025GiB", "1TiB is the most"),
        ("cache.sweep_rate", "fast", "is no size"),
        ("cache.sweep_interval", "10s", "is not between"),
        ("cache.sweep_interval", "soon", "is no duration"),
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

    @Test(arguments: [
        ("tmpfs", "", "delete", "supervisor.upper_limit"), ("image", "1MiB", "delete", "supervisor.upper_limit"),
        ("image", "17TiB", "keep", "supervisor.upper_limit"), ("tmpfs", "1GiB", "keep", "supervisor.upper_policy"),
        ("tmpfs", "1GiB", "delete", nil), ("image", "1GiB", "keep", nil), ("directory", "1GiB", "keep", nil),
        ("directory", "", "delete", nil), ("directory", "17TiB", "delete", "supervisor.upper_limit"),
    ])
    func uppersHaveALimitThatTheirStorageCanHold(
        storage: String, limit: String, policy: String, problem: String?
    ) throws {
        var flags = [("supervisor.upper_storage", storage), ("supervisor.upper_policy", policy)]
        if !limit.isEmpty { flags.append(("supervisor.upper_limit", limit)) }
        var found: [String] = []
        do {
            _ = try ConfigurationLoader.load(text: "", name: "s", flags: flags)
        } catch {
            found = error.problems.map(\.key)
        }
        #expect(found == (problem.map { [$0] } ?? []))
    }

    @Test(arguments: ["127.0.0.1:0", "127.9.9.9:65535", "[::1]:2726", "localhost:1"])
    func loopbackMayListen(address: String) throws {
        let flags = [(key: "supervisor.listen", value: address), (key: "supervisor.auth", value: "none")]
        #expect(try ConfigurationLoader.load(text: "", name: "s", flags: flags).configuration.listen == address)
    }

    @Test(arguments: [
        "farm.example:2726", "https://farm.example", "*.example", "*", "", " ", "farm.example ", "a b", "[::1]",
        "::1:x",
        "farm.example/", "farm..example", "f\u{e4}rm.example", "\u{0}",
    ])
    func allowedHostsAreBareHosts(host: String) {
        let text = "[supervisor]\nallowed_hosts = [\"good.example\", \(TOMLText.quoted(host))]\n"
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationLoader.load(text: text, name: "s") }
        #expect(error?.problems.map(\.key) == ["supervisor.allowed_hosts"])
        #expect(error?.description.hasPrefix("s:2: ") == true)
        #expect(error?.description.contains("write a bare name or address") == true, "\(error?.description ?? "")")
    }

    @Test(arguments: ["farm.example", "FARM", "10.0.0.1", "::1", "2001:db8::1", "build_7.xn--frm-qla.example"])
    func hostsMayBeNamesAndAddresses(host: String) throws {
        let flags = [(key: "supervisor.allowed_hosts", value: host)]
        #expect(
            try ConfigurationLoader.load(text: "", name: "s", flags: flags).configuration.allowedHosts == [host])
    }

    @Test func tcpWithoutATokenMustBeSaid() throws {
        var flags = [(key: "supervisor.listen", value: "127.0.0.1:1")]
        let error = #expect(throws: ConfigurationError.self) {
            try ConfigurationLoader.load(text: "", name: "s", flags: flags)
        }
        #expect(error?.description.contains("needs token_file") == true)
        flags.append((key: "supervisor.token_file", value: "/etc/antares/tokens"))
        _ = try ConfigurationLoader.load(text: "", name: "s", flags: flags)
    }

    /// Every way to leave something out, and the only one to leave nothing out.
    @Test func otherMachinesNeedATokenAndTLS() throws {
        let all = [("auth", "token"), ("token_file", "/t"), ("tls_certificate", "/c"), ("tls_key", "/k")]
        for choice in 0..<16 {
            var flags = [(key: "supervisor.listen", value: "0.0.0.0:2726")]
            var missing: [String] = []
            for (index, (key, value)) in all.enumerated() {
                if choice & 1 << index != 0 {
                    flags.append((key: "supervisor.\(key)", value: value))
                } else if key == "auth" {
                    flags.append((key: "supervisor.auth", value: "none"))
                    missing.append("auth = \"token\"")
                } else {
                    missing.append(key)
                }
            }
            let error: ConfigurationError?
            do {
                _ = try ConfigurationLoader.load(text: "", name: "s", flags: flags)
                error = nil
            } catch let thrown {
                error = thrown
            }
            if missing.isEmpty {
                #expect(error == nil)
            } else {
                let list = "set \(missing.joined(separator: ", "));"
                #expect(
                    error?.problems.contains { $0.message.contains(list) } == true,
                    "\(choice): \(String(describing: error))")
            }
        }
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
