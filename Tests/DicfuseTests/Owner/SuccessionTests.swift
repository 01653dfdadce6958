import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// Owner processes that follow each other on one store, as the supervisor starts them.
@Suite(
    "A new owner in the place of one that was killed",
    .enabled(if: ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil), .serialized,
    .timeLimit(.minutes(5)))
struct SuccessionTests {
    /// A store that has all of the library, and that no owner holds any more. The origin is gone.
    private static func filled(_ library: Library, _ configuration: CacheConfiguration) throws -> ObjectID {
        let owner = try OwnerProcess(configuration)
        defer { owner.process.signal(SIGKILL) }
        #expect(owner.linesUntilReady().last == "info event=ready")
        let control = try owner.connect()
        let root = try library.root(control)
        let worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        #expect(try library.wrong(worker, root) == [])
        // Answered from the index from here on.
        while try control.report().origins.contains(where: { $0.flights > 0 || $0.isBusy }) { sched_yield() }
        library.world.origin.stop()
        return root
    }

    @Test("It serves before it has looked at what the store holds")
    func early() throws {
        let library = try Library(sizes: (0..<1000).map { 200 + $0 * 37 % 6000 })
        var configuration = CacheConfiguration.test(library.world.cache, library.world.origin.url)
        // So slow that the look at the contents cannot end while this test runs.
        configuration.sweepRate = 1024
        let root = try Self.filled(library, configuration)

        let begin = Deadline.now
        let owner = try OwnerProcess(configuration)
        let control = try owner.connect()
        let worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        let listing = try worker.directory(root)
        let first = try #require(listing.items.first)
        let directory = try worker.directory(first.entry.id)
        let file = try #require(directory.items.first)
        let bytes = try worker.contents(file.entry.id, size: file.entry.size)
        let milliseconds = (Deadline.now.nanoseconds - begin.nanoseconds) / 1_000_000
        let status = try control.report()
        print("a new owner of \(library.files.count) objects answered after \(milliseconds) ms")
        #expect(ObjectID.hash(blob: bytes) == file.entry.id)
        #expect(!status.previousEndedCleanly)
        // It has been asked to look, and has not ended.
        #expect(status.sweep.isRunning && status.sweep.kind != .verify)
        #expect(status.sweep.kind != .contents || status.sweep.bytes < 1 << 20)
        #expect(owner.linesUntilReady().last == "info event=ready")
        // Everything else is served meanwhile, too.
        #expect(try library.wrong(worker, root) == [])
        #expect(try control.report().sweep.isRunning)
        owner.process.signal(SIGKILL)
        #expect(owner.end() == .signal(SIGKILL))
    }

    @Test("Fifty workers that read what is cached see no error while owners are killed")
    func workers() throws {
        let library = try Library(sizes: (0..<48).map { $0 % 8 == 0 ? 40_000 : 100 + $0 * 61 })
        let configuration = CacheConfiguration.test(library.world.cache, library.world.origin.url)
        let root = try Self.filled(library, configuration)
        let supply = SocketSupply()
        var owner = try OwnerProcess(configuration)
        supply.serve(from: try owner.connect())
        let herd = try (0..<50).map { _ in try Reader(library, root, supply) }
        defer { for reader in herd { reader.stop() } }
        for _ in 0..<3 {
            // Each has read something from this owner, and all are at work.
            herd.forEach { $0.waitForReads(10) }
            owner.process.signal(SIGKILL)
            supply.close()
            #expect(owner.end() == .signal(SIGKILL))
            owner = try OwnerProcess(configuration)
            supply.serve(from: try owner.connect())
        }
        herd.forEach { $0.waitForReads(library.files.count) }
        for reader in herd {
            let seen = reader.stop()
            #expect(seen.errors == [])
            #expect(seen.reconnections == 3)
        }
    }
}

/// Gives out sockets to the owner of the moment, as the supervisor does when a worker has lost the last one.
private final class SocketSupply: Sendable {
    private struct State {
        var control: Box?
        var generation = 0
        var ended = false
        var waiting: [EventCounter] = []
    }

    // Sendable: the connection is used under the lock only.
    private final class Box: @unchecked Sendable {
        let control: Client
        init(_ control: Client) { self.control = control }
    }

    private let state = Guarded(State())

    func serve(from control: Client) {
        nonisolated(unsafe) let control = control
        state.with { state in
            state.control = Box(control)
            state.generation += 1
            for waiter in state.waiting { waiter.add() }
        }
    }

    func close() {
        state.with { $0.control = nil }
    }

    func end() {
        state.with { state in
            state.ended = true
            for waiter in state.waiting { waiter.add() }
        }
    }

    /// `event` is told of each new owner.
    func subscribe(_ event: EventCounter) {
        state.with { $0.waiting.append(event) }
    }

    /// A socket to an owner later than `generation`; nil at the end, or when none comes.
    func next(after generation: Int, _ event: EventCounter) -> (socket: Client, generation: Int)? {
        let deadline = Deadline.after(.seconds(60))
        while !deadline.hasPassed {
            let (found, number, ended) = state.with { state -> (Handed?, Int, Bool) in
                guard state.generation > generation, let box = state.control else { return (nil, 0, state.ended) }
                return ((try? box.control.attach("main")).map { Handed(socket: $0) }, state.generation, state.ended)
            }
            if let found { return (found.socket, number) }
            if ended { return nil }
            _ = event.wait(until: deadline)
        }
        return nil
    }

    // Sendable: made for one worker, which alone gets it.
    private struct Handed: @unchecked Sendable {
        let socket: Client
    }
}

/// A worker: it reads files and directories in turn, and asks again what was not answered when its socket closed.
private final class Reader: Sendable {
    struct Seen {
        var reads = 0
        var errors: [String] = []
        var reconnections = -1
        var stopping = false
    }

    private let seen = Guarded(Seen())
    private let thread = Guarded<SystemThread?>(nil)
    private let supply: SocketSupply
    private let progress: EventCounter

    init(_ library: Library, _ root: ObjectID, _ supply: SocketSupply) throws {
        self.supply = supply
        let progress = try EventCounter()
        self.progress = progress
        let owners = try EventCounter()
        supply.subscribe(owners)
        let files = library.files
        let started = try SystemThread.start(name: "reader", stackSize: 1 << 20) { [seen] in
            Self.read(files, root, supply, owners, seen, progress)
            progress.add()
        }
        thread.with { $0 = started }
    }

    /// What is asked next, until it is answered.
    private enum Question {
        case directory(ObjectID, path: String)
        case file(ObjectID, size: UInt64, path: String)
    }

    private static func read(
        _ files: [String: [UInt8]], _ root: ObjectID, _ supply: SocketSupply, _ owners: EventCounter,
        _ seen: Guarded<Seen>, _ progress: EventCounter
    ) {
        var socket: Client?
        var generation = 0
        var questions: [Question] = []
        while !seen.with({ $0.stopping }) {
            guard let client = socket else {
                guard let (next, number) = supply.next(after: generation, owners) else {
                    return seen.with { if !$0.stopping { $0.errors.append("no owner came") } }
                }
                (socket, generation) = (next, number)
                seen.with { $0.reconnections += 1 }
                if (try? next.ask(.hello(oldest: 1, newest: 1))) == nil { socket = nil }
                continue
            }
            let question = questions.last ?? .directory(root, path: "")
            do {
                let more = try answer(question, client, files)
                if !questions.isEmpty { questions.removeLast() }
                questions += more
                seen.with { $0.reads += 1 }
                progress.add()
            } catch let error as CacheError {
                seen.with { $0.errors.append("\(question): \(error)") }
                return
            } catch let wrong as TestRepository.Failure {
                seen.with { $0.errors.append(wrong.description) }
                return
            } catch {
                // The owner has gone. The question stays.
                socket = nil
            }
        }
    }

    private static func answer(
        _ question: Question, _ client: Client, _ files: [String: [UInt8]]
    ) throws -> [Question] {
        switch question {
        case .file(let id, let size, let path):
            guard try client.contents(id, size: size) == files[path] else {
                throw TestRepository.Failure("\(path) has other bytes")
            }
            return []
        case .directory(let id, let path):
            return try client.directory(id).items.map { item in
                let name = path + String(decoding: item.name, as: UTF8.self)
                return item.entry.mode == .directory
                    ? .directory(item.entry.id, path: name + "/")
                    : .file(item.entry.id, size: item.entry.size, path: name)
            }
        }
    }

    /// Until it has read so much more, or cannot.
    func waitForReads(_ count: Int) {
        let wanted = seen.with { $0.reads } + count
        let deadline = Deadline.after(.seconds(90))
        while seen.with({ $0.reads < wanted && $0.errors.isEmpty }), !deadline.hasPassed {
            _ = progress.wait(until: deadline)
        }
        seen.with { if $0.reads < wanted { $0.errors.append("\($0.reads) of \(wanted) reads") } }
    }

    @discardableResult
    func stop() -> Seen {
        seen.with { $0.stopping = true }
        supply.end()
        thread.with { thread in
            defer { thread = nil }
            return thread
        }?.join()
        return seen.with { $0 }
    }
}
