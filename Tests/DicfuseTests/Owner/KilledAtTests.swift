import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// The owner is killed by strace(1) at a chosen call of a chosen kind: at each point at which its store changes.
@Suite(
    "Owner killed while it stores",
    .enabled(
        if: access("/usr/bin/strace", X_OK) == 0 && ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil),
    .timeLimit(.minutes(5)))
struct KilledAtTests {
    @Test(
        "Whatever was under way, the next owner serves everything right from a sound store",
        arguments: ["pwrite64", "write", "fdatasync", "renameat", "unlinkat", "ftruncate"])
    func killed(_ call: String) throws {
        let library = try Library(sizes: (0..<24).map { $0 % 3 == 0 ? 70_000 : 3000 })
        var configuration = CacheConfiguration.test(library.world.cache, library.world.origin.url)
        // So that files are removed, too.
        configuration.limit = 600_000
        var killed = 0
        for number in [1, 2, 3, 4, 5, 7, 9, 12, 16, 24] {
            do {
                let owner = try OwnerProcess(
                    configuration,
                    under: [
                        "/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
                        "inject=\(call):signal=SIGKILL:when=\(number)",
                    ])
                _ = owner.linesUntilReady()
                if let control = try? owner.connect(), let root = try? library.root(control),
                    let worker = try? control.attach("main"), (try? worker.ask(.hello(oldest: 1, newest: 1))) != nil
                {
                    _ = try? library.wrong(worker, root)
                    _ = try? control.ask(.shutDown)
                }
                if try #require(owner.end()) != .code(0) { killed += 1 }
            }
            let index = library.world.cache + "/main/index/data.mdb"
            try IndexAudit.check(index)
            let next = try OwnerProcess(configuration)
            #expect(next.linesUntilReady().last == "info event=ready")
            let control = try next.connect()
            let root = try library.root(control)
            let worker = try control.attach("main")
            _ = try worker.ask(.hello(oldest: 1, newest: 1))
            #expect(try library.wrong(worker, root) == [], "\(call) \(number)")
            #expect(try control.ask(.shutDown) == .shuttingDown)
            #expect(next.end() == .code(0))
            // Nothing half-written has a name.
            #expect(try FileManager.default.contentsOfDirectory(atPath: library.world.cache + "/main/incoming").isEmpty)
            for id in library.files.values.map({ ObjectID.hash(blob: $0) }) {
                guard let bytes = FileManager.default.contents(atPath: library.object(id)) else { continue }
                #expect((ObjectID.hash(blob: Array(bytes)) == id) as Bool, "\(call) \(number): \(id)")
            }
            // Half of the rounds begin on a store that has something.
            if number % 2 == 0 {
                for name in try FileManager.default.contentsOfDirectory(atPath: library.world.cache) {
                    try FileManager.default.removeItem(atPath: library.world.cache + "/" + name)
                }
            }
        }
        #expect(killed > 0)
    }
}
