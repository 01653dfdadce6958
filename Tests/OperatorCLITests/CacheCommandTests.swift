import ArgumentParser
import Glibc
import LinuxSystem
import Supervision
import Testing

@testable import OperatorCLI

/// The real `antares cache …` against the real API.
@Suite(.timeLimit(.minutes(2))) struct CacheCommandTests {
    private func antares(_ fake: FakeSupervisor, _ arguments: String...) async throws -> Program.Result {
        try await Program.run(
            "antares", ["cache"] + arguments, environment: ["ANTARES_SOCKET=\(fake.socket)"],
            directory: fake.directory)
    }

    @Test func statusTellsWhatThereIs() async throws {
        try await FakeSupervisor.with { fake in
            let result = try await antares(fake, "status")
            #expect(result.status == .code(0))
            let lines = result.output.split(separator: "\n").map(String.init)
            #expect(lines.contains("cache       version 1.2, up 1h 1m, 2 workers"))
            #expect(lines.contains("stored      28.0 KiB of 1.0 MiB, 12 objects"))
            #expect(lines.contains("hits        5 objects, 3 directories"))
            #expect(lines.contains("evicted     9 objects"))
            #expect(!result.output.contains("problem"))
            let json = try await antares(fake, "status", "--json")
            #expect(json.status == .code(0))
            #expect(json.output.hasPrefix("{") && json.output.contains("\"blobHits\":5"))
        }
    }

    @Test func usageIsATableOfOrigins() async throws {
        try await FakeSupervisor.with { fake in
            let result = try await antares(fake, "du")
            #expect(result.status == .code(0))
            let lines = result.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
            #expect(
                lines == [
                    "ORIGIN OBJECTS SIZE INDEX IMAGES QUARANTINED", "main 12 8.0 KiB 4.0 KiB 2 (16.0 KiB) 1 (512 B)",
                ])
        }
    }

    @Test func collectionIsWaitedFor() async throws {
        try await FakeSupervisor.with { fake in
            let plain = try await antares(fake, "gc")
            #expect(plain.status == .code(0))
            #expect(plain.output.hasPrefix("ORIGIN"))
            let bounded = try await antares(fake, "gc", "--to", "5000", "--json")
            #expect(bounded.status == .code(0))
            #expect(bounded.output.contains("\"rounds\":5"))
            #expect(fake.cache.collections == [nil, 5000])
            #expect(try await antares(fake, "gc", "--to", "-1").status == .code(2))
            #expect(fake.cache.collections.count == 2)
        }
    }

    @Test func verificationIsWaitedFor() async throws {
        try await FakeSupervisor.with { fake in
            let result = try await antares(fake, "verify")
            #expect(result.status == .code(0))
            #expect(result.output == "12 objects, 4.0 KiB: 2 damaged, 1 missing, 0 not in the index before\n")
            #expect(fake.cache.sweep == 7)
            fake.change { $0.unreadable = 4 }
            let failed = try await antares(fake, "verify")
            #expect(failed.status == .code(1))
            #expect(failed.errors.contains("4 objects could not be looked at"))
        }
    }

    @Test func withoutAnOwnerItIsAnError() async throws {
        try await FakeSupervisor.with { fake in
            fake.change { $0.failure = SupervisorError(.internalError, "there is no cache owner") }
            for command in ["status", "du", "gc", "verify"] {
                let result = try await antares(fake, command)
                #expect(result.status == .code(1), "\(command)")
                #expect(result.errors.contains("there is no cache owner"), "\(command)")
            }
            #expect(fake.cache.collections.isEmpty)
        }
    }

    @Test(arguments: [["cache", "nonsense"], ["cache", "gc", "--to", "x"], ["cache", "du", "extra"]])
    func refuses(arguments: [String]) {
        #expect(throws: (any Error).self) { try Antares.parseAsRoot(arguments) }
    }

    @Test func aBarShowsTheShareWhereItIsKnown() {
        func line(_ done: UInt64, _ total: UInt64, width: Int = 80) -> String {
            Progress.line(Progress.Step("copying", done: done, of: total), width: width)
        }
        #expect(line(0, 0) == "copying")
        #expect(line(0, 4) == "[........................] 0% copying")
        #expect(line(1, 4) == "[######..................] 25% copying")
        #expect(line(4, 4) == "[########################] 100% copying")
        // More than was thought, and less room than there should be.
        #expect(line(9, 4) == line(4, 4))
        #expect(line(1, 4, width: 10) == "[######..")
        #expect(line(1, 4, width: 0) == "")
        #expect(Progress.line(Progress.Step("a\u{1B}[2Jb"), width: 80).contains("\u{1B}") == false)
    }

    /// On a terminal of its own, by script(1): the bar is there, and gone again.
    @Test(.enabled(if: access("/usr/bin/script", X_OK) == 0)) func aTerminalIsShownHowFarItIs() async throws {
        try await FakeSupervisor.with { fake in
            func verify(_ shell: String) async throws -> String {
                let antares = Program.directory + "/antares"
                return try await Program.run(
                    "/bin/sh",
                    ["-c", shell.replacing("ANTARES", with: "\(antares) --socket \(fake.socket) cache verify")],
                    directory: fake.directory
                ).output
            }
            let shown = try await verify("script -qec 'ANTARES' /dev/null </dev/null")
            #expect(shown.contains("[########################] 100% 12 of 12 objects") && shown.contains("\u{1B}[K"))
            let quiet = try await verify("ANTARES 2>&1")
            #expect(quiet.contains("damaged") && !quiet.contains("[#") && !quiet.contains("\u{1B}"))
        }
    }
}
