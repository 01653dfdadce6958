import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// The owner against the programs it meets in production: antares-origin, and nginx in front of it.
@Suite("Owner with antares-origin", .timeLimit(.minutes(2)), .enabled(if: Programs.origin != nil))
final class RealOriginTests {
    let repository: TestRepository
    let commit: ObjectID
    let directory: String
    private var owners: [OwnerHarness] = []
    static let script = "#!/bin/sh\necho run\n"

    init() throws {
        repository = try TestRepository()
        var files: [String: TestRepository.Content] = [
            "bin/run": .script(Self.script), "bin/odd": .script("no interpreter\n"), "bin/data": .file("data\n"),
            "bin/link": .link("run"), "bin/tool": .bytes([0x7F, 0x45, 0x4C, 0x46, 1, 2, 3]), "README": .file("hello\n"),
            "big": .bytes((0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }),
        ]
        for index in 0..<200 { files["many/d\(index % 10)/f\(index)"] = .file("file \(index)\n") }
        commit = try repository.commit(files)
        directory = try TemporaryDirectory.make("real")
    }

    deinit {
        for owner in owners { owner.stop() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func owner(
        _ name: String, _ url: String, _ change: (inout CacheConfiguration) -> Void = { _ in }
    ) throws -> OwnerHarness {
        var configuration = CacheConfiguration.test("\(directory)/\(name)", url)
        change(&configuration)
        let owner = try OwnerHarness(configuration)
        owners.append(owner)
        return owner
    }

    /// Path → mode and contents of everything, as the owner gives it.
    private func readAll(_ owner: OwnerHarness, _ snapshot: PinnedSnapshot) throws -> [String: String] {
        let worker = try owner.worker()
        var found: [String: String] = [:]
        var level = [("", snapshot.root)]
        while !level.isEmpty {
            var next: [(String, ObjectID)] = []
            for (path, id) in level {
                let listing = try worker.directory(id)
                for (index, item) in listing.items.enumerated() {
                    let name = path + "/" + String(decoding: item.name, as: UTF8.self)
                    if item.entry.mode == .directory {
                        next.append((name, item.entry.id))
                        continue
                    }
                    let (mode, size) =
                        item.entry.isComplete
                        ? (item.entry.mode, item.entry.size) : try worker.stat(id, index)
                    let bytes = try worker.contents(item.entry.id, size: size)
                    found[name] = "\(mode.map { "\($0)" } ?? "?") \(ObjectID.hash(blob: bytes))"
                }
            }
            level = next
        }
        return found
    }

    /// The same from git itself.
    private func truth() throws -> [String: String] {
        let listing = try repository.git(["ls-tree", "-r", "-z", commit.hex])
        var found: [String: String] = [:]
        for line in listing.split(separator: 0) {
            let sides = String(decoding: line, as: UTF8.self).split(separator: "\t", maxSplits: 1)
            let words = sides[0].split(separator: " ")
            let mode = ["100644": FileMode.regular, "100755": .executable, "120000": .symlink][words[0]]
            found["/" + sides[1]] = "\(mode.map { "\($0)" } ?? "?") \(words[2])"
        }
        return found
    }

    @Test("The whole tree is what git says, in a tenth of the requests")
    func extensions() throws {
        let (program, url) = try Programs.serve(repository)
        defer { program.stop() }
        let owner = try owner("a", url)
        let snapshot = try owner.control.pin()
        #expect(snapshot.assurance == .treesVerified)
        #expect(try readAll(owner, snapshot) == truth())
        let requests =
            owner.counter(.blobFetches) + owner.counter(.treeFetches) + owner.counter(.batchFetches)
        #expect(requests < 60)
        #expect(owner.counter(.verifyFailures) == 0)
    }

    @Test("The published API alone: modes and links from raw trees, sizes when asked for")
    func strict() throws {
        let (program, url) = try Programs.serve(repository, "--strict-mega")
        defer { program.stop() }
        let owner = try owner("a", url)
        let snapshot = try owner.control.pin()
        #expect(snapshot.assurance == [])
        #expect(try readAll(owner, snapshot) == truth())
        #expect(owner.counter(.guessedModes) == 0)
        #expect(owner.counter(.unpinnableImports) == 0)
        #expect(owner.counter(.batchFetches) == 0)
    }

    @Test("When the head has moved on, programs are known by their contents, and each guess is counted")
    func strictAndMoved() throws {
        _ = try repository.commit(["bin/new": .file("new")])
        let (program, url) = try Programs.serve(repository, "--strict-mega")
        defer { program.stop() }
        let owner = try owner("a", url)
        let found = try readAll(owner, owner.control.pin(commit.hex, path: "/bin"))
        func mode(_ name: String) -> Substring? { found["/" + name]?.split(separator: " ").first }
        #expect(mode("run") == "\(FileMode.executable)")
        #expect(mode("tool") == "\(FileMode.executable)")
        #expect(mode("odd") == "\(FileMode.regular)")
        #expect(mode("data") == "\(FileMode.regular)")
        #expect(owner.counter(.guessedModes) == 5)
        // The commit is honoured, so nothing here is taken for an import.
        #expect(owner.counter(.unpinnableImports) == 0)
    }

    // MARK: nginx

    private static let mirrorFile = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("scripts/nginx/mirror.conf")

    /// The shipped configuration in front of `url`; its address.
    private func mirror(_ url: String) throws -> (ServingProgram, url: String) {
        let port = try Programs.freePort()
        var text = try String(contentsOf: Self.mirrorFile, encoding: .utf8)
        for (old, new) in [
            ("listen 8080 ", "listen 127.0.0.1:\(port) "), ("server 127.0.0.1:8000 ", "server \(url.dropFirst(7)) "),
            ("/var/cache/nginx/antares", "\(directory)/nginx-cache"),
        ] {
            try #require(text.contains(old))
            text = text.replacingOccurrences(of: old, with: new)
        }
        let program = try Programs.serveNginx(text, in: directory, port: port)
        return (program, "http://127.0.0.1:\(port)")
    }

    @Test(
        "Behind nginx a second machine asks the origin for nothing, and needs none", .enabled(if: Programs.nginx != nil)
    )
    func cachingMirror() throws {
        let (program, url) = try Programs.serve(repository)
        let (nginx, front) = try mirror(url)
        defer { nginx.stop() }
        let first = try owner("first", front)
        let snapshot = try first.control.pin(commit.hex)
        #expect(snapshot.assurance == .treesVerified)
        #expect(try readAll(first, snapshot) == truth())
        // Every object was a GET that nginx can keep.
        #expect(first.counter(.batchedObjects) == 0)
        program.stop()
        let second = try owner("second", front)
        #expect(try readAll(second, second.control.pin(commit.hex)) == truth())
        // What a name means is nothing a mirror may answer.
        let error = #expect(throws: CacheError.self) { try second.control.pin("main") }
        #expect(error?.code == .unreachable)
    }

    @Test("nginx in front of a published Mega server keeps blobs", .enabled(if: Programs.nginx != nil))
    func mirrorOfMega() throws {
        let (program, url) = try Programs.serve(repository, "--strict-mega")
        defer { program.stop() }
        let (nginx, front) = try mirror(url)
        defer { nginx.stop() }
        let owner = try owner("a", front)
        let snapshot = try owner.control.pin()
        #expect(snapshot.assurance == [])
        #expect(try readAll(owner, snapshot) == truth())
    }

    @Test(
        "TLS with a private authority and a client certificate; without them nothing is told",
        .enabled(if: Programs.nginx != nil))
    func certificates() throws {
        let (program, url) = try Programs.serve(repository)
        defer { program.stop() }
        let port = try Programs.freePort()
        let make = """
            set -e; cd "$1"
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
            for name in server client; do
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout $name.key -out $name.csr
                printf 'subjectAltName=IP:127.0.0.1' >$name.ext
                openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
            done
            """
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/bin/sh")
        openssl.arguments = ["-c", make, "sh", directory]
        openssl.standardError = FileHandle.nullDevice
        openssl.standardOutput = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
        let configuration = """
            events {}
            http {
                access_log off;
                server {
                    listen 127.0.0.1:\(port) ssl;
                    ssl_certificate \(directory)/server.pem;
                    ssl_certificate_key \(directory)/server.key;
                    ssl_client_certificate \(directory)/ca.pem;
                    ssl_verify_client on;
                    location / { proxy_pass \(url); }
                }
            }
            """
        let nginx = try Programs.serveNginx(configuration, in: directory, port: port)
        defer { nginx.stop() }
        let https = "https://127.0.0.1:\(port)"
        func code(_ name: String, _ change: (inout CacheConfiguration) -> Void) throws -> CacheError.Code? {
            let owner = try owner(name, https, change)
            do {
                #expect(try owner.control.pin().commit == commit)
                return nil
            } catch let error as CacheError {
                return error.code
            }
        }
        let directory = directory
        #expect(
            try code("both") {
                $0.origins[0].caFile = "\(directory)/ca.pem"
                $0.origins[0].clientCertFile = "\(directory)/client.pem"
                $0.origins[0].clientKeyFile = "\(directory)/client.key"
            } == nil)
        // Whom nobody vouches for is not talked to.
        #expect(try code("unknown") { _ in } == .unreachable)
        // nginx answers 400 to who shows no certificate.
        #expect(try code("anonymous") { $0.origins[0].caFile = "\(directory)/ca.pem" } != nil)
    }
}
