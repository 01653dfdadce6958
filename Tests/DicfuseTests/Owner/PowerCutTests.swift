import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// The disk under an owner is copied while it writes. Such a copy is worse than what a power cut leaves: its blocks are of different moments.
@Suite(
    "Owner and power cuts",
    .enabled(
        if: getuid() == 0 && access("/usr/sbin/mkfs.ext4", X_OK) == 0 && access("/dev/loop-control", W_OK) == 0
            && ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil),
    .serialized, .timeLimit(.minutes(5)))
struct PowerCutTests {
    /// What one copy held before an owner was let at it.
    private struct Found {
        var objects = 0
        /// Files that are not what their name says: what a power cut does to files that were not synced.
        var damaged = 0
    }

    private static let copies = 3

    @Test("From what a power cut leaves of its disk an owner starts, serves nothing wrong, and fetches what is lost")
    func cut() throws {
        try PrivateMounts.run {
            let library = try Library(sizes: (0..<120).map { 500 + $0 * 397 % 90_000 })
            let disk = try LoopDisk(bytes: 32 << 20)
            let cuts = try Self.copies(of: disk, library)
            var damaged = 0
            for (number, cut) in cuts.enumerated() {
                let found = try Self.look(cut, library)
                let before = library.world.origin.requests("/file/blob/")
                try Self.serve(cut, library, "copy \(number)")
                let fetched = library.world.origin.requests("/file/blob/") - before
                print("\(number): \(found.objects) objects, \(found.damaged) damaged, \(fetched) fetched again")
                damaged += found.damaged
                // What a copy did not hold whole was fetched.
                #expect(fetched >= library.files.count - (found.objects - found.damaged))
                // The next owner has nothing to mend.
                try Self.serve(cut, library, "copy \(number), again")
            }
            // The copies show what they are meant to show.
            #expect(damaged > 0)
        }
    }

    /// Copies of the disk, taken while an owner fills it, evicts and fetches again.
    private static func copies(of disk: LoopDisk, _ library: Library) throws -> [LoopDisk] {
        var configuration = CacheConfiguration.test(disk.path, library.world.origin.url)
        // Less than the library: objects come and go as long as somebody reads.
        configuration.limit = 3 << 20
        let owner = try OwnerProcess(configuration)
        defer { owner.process.signal(SIGKILL) }
        #expect(owner.linesUntilReady().last == "info event=ready")
        let control = try owner.connect()
        let root = try library.root(control)
        let worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        let reader = try Rereader(library, worker, root)
        defer { reader.stop() }
        var cuts: [LoopDisk] = []
        for number in 1...copies {
            // The moment of a copy is one of the writer's, not of a clock: after so many more objects.
            let wanted = library.world.origin.requests("/file/blob/") + 40 + number * 7
            let deadline = Deadline.after(.seconds(60))
            while library.world.origin.requests("/file/blob/") < wanted, !deadline.hasPassed { sched_yield() }
            cuts.append(try LoopDisk(cutFrom: disk))
        }
        #expect(reader.stop() == [])
        return cuts
    }

    private static func look(_ cut: LoopDisk, _ library: Library) throws -> Found {
        var found = Found()
        for contents in library.files.values {
            let id = ObjectID.hash(blob: contents)
            let path = "\(cut.path)/main/layer/.GIT/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
            guard let bytes = FileManager.default.contents(atPath: path) else { continue }
            found.objects += 1
            if Array(bytes) != contents { found.damaged += 1 }
        }
        return found
    }

    private static func serve(_ cut: LoopDisk, _ library: Library, _ what: String) throws {
        let owner = try OwnerProcess(.test(cut.path, library.world.origin.url))
        #expect(owner.linesUntilReady().last == "info event=ready", "\(what)")
        let control = try owner.connect()
        let worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        // The sweep is under way: what it has not reached yet is asked for, too.
        #expect(try library.wrong(worker, try library.root(control)) == [], "\(what)")
        let deadline = Deadline.after(.seconds(60))
        var status = try control.report()
        while status.sweep.isRunning || status.origins[0].flights > 0, !deadline.hasPassed {
            status = try control.report()
        }
        #expect(!status.sweep.isRunning && status.sweep.failed == 0, "\(what)")
        #expect(try library.wrong(worker, try library.root(control)) == [], "\(what)")
        #expect(try control.ask(.shutDown) == .shuttingDown)
        #expect(owner.end() == .code(0), "\(what)")
        try IndexAudit.check(cut.path + "/main/index/data.mdb")
        // Nothing wrong has the name of an object any more.
        #expect(try look(cut, library).damaged == 0, "\(what)")
    }
}

/// Reads everything through one worker again and again.
private final class Rereader: Sendable {
    private struct State {
        var wrong: [String] = []
        var stopping = false
    }

    private let state = Guarded(State())
    private let thread = Guarded<SystemThread?>(nil)

    init(_ library: Library, _ worker: Client, _ root: ObjectID) throws {
        nonisolated(unsafe) let (library, worker) = (library, worker)
        let started = try SystemThread.start(name: "reader") { [state] in
            while !state.with({ $0.stopping }) {
                let result = Result { try library.wrong(worker, root) }
                state.with { state in
                    switch result {
                    case .success(let wrong): state.wrong += wrong
                    case .failure(let error):
                        state.wrong.append("\(error)")
                        state.stopping = true
                    }
                }
            }
        }
        thread.with { $0 = started }
    }

    /// What went wrong.
    @discardableResult
    func stop() -> [String] {
        state.with { $0.stopping = true }
        thread.with { thread in
            defer { thread = nil }
            return thread
        }?.join()
        return state.with { $0.wrong }
    }
}
