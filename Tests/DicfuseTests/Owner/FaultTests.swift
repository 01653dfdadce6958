import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing
import WireFormat

@testable import Dicfuse

@Suite("Owner and an origin that fails", .timeLimit(.minutes(2)))
struct FaultTests {
    let world: World
    let small: ObjectID
    let big: ObjectID
    static let bigSize = 200_000

    init() throws {
        world = try World(
            .antares,
            ["small": .file("small\n"), "big": .bytes((0..<Self.bigSize).map { UInt8(truncatingIfNeeded: $0 &* 13) })])
        small = try world.repository.id("HEAD:small")
        big = try world.repository.id("HEAD:big")
    }

    private func code(_ body: () throws -> some Any) -> CacheError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? CacheError)?.code
        }
    }

    @Test(
        "A fault that passes costs a retry, never an error or wrong bytes",
        arguments: [
            StubOrigin.Fault.status(500), .status(502), .status(503, retryAfter: 0), .status(429), .status(408),
            .otherBytes, .truncated, .endless, .unannounced, .reset, .overstated, .otherObject, .gzipBomb, .redirect,
            .cut(after: 3),
        ])
    func passing(_ fault: StubOrigin.Fault) throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        world.origin.fail(small.hex, fault)
        world.origin.fail(big.hex, fault)
        #expect(try worker.contents(small, size: 6) == Array("small\n".utf8))
        let bytes = try worker.contents(big, size: UInt64(Self.bigSize))
        #expect(ObjectID.hash(blob: bytes) == big)
        switch fault {
        case .unannounced: #expect(owner.counter(.retries) == 0)
        // libcurl itself asks again when a connection that was kept open turns out to be dead.
        case .reset: #expect(world.origin.requests("/file/blob/") == 4)
        default: #expect(owner.counter(.retries) == 2)
        }
    }

    @Test("Wrong bytes that stay wrong are an error, and nothing of them is stored")
    func corrupt() throws {
        let owner = try world.owner()
        for id in [small, big] {
            world.origin.fail(id.hex, .otherBytes, .otherBytes, .otherBytes, .otherBytes)
        }
        #expect(code { try owner.worker().contents(small, size: 6) } == .corrupt)
        #expect(code { try owner.worker().contents(big, size: UInt64(Self.bigSize)) } == .corrupt)
        #expect(owner.counter(.verifyFailures) == 8)
        owner.stop()
        let store = "\(world.cache)/main"
        let objects =
            FileManager.default.enumerator(atPath: "\(store)/layer/.GIT")?.compactMap { $0 as? String }
            ?? []
        #expect(objects.count == 256)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(store)/incoming").isEmpty)
    }

    @Test("A body without an end is cut off at the size that the tree gives")
    func flood() throws {
        let owner = try world.owner()
        for id in [small, big] { world.origin.fail(id.hex, .flood, .flood, .flood, .flood) }
        #expect(code { try owner.worker().contents(small, size: 6) } == .corrupt)
        #expect(code { try owner.worker().contents(big, size: UInt64(Self.bigSize)) } == .corrupt)
        // What the buffers of eight connections hold, far from the end of the flood.
        #expect(world.origin.flooded < StubOrigin.floodLimit / 4)
    }

    @Test("A failure is remembered for a moment: the next asker is answered without a request")
    func negativeMemory() throws {
        let owner = try world.owner()
        world.origin.remove(small)
        #expect(code { try owner.worker().contents(small, size: 6) } == .corrupt)
        #expect(code { try owner.worker().contents(small, size: 6) } == .corrupt)
        #expect(world.origin.requests(small.hex) == 1)
        #expect(owner.counter(.negativeHits) == 1)
    }

    @Test("A tree that is not what its id says is never served")
    func corruptTree() throws {
        let owner = try world.owner()
        world.origin.fail("/antares/v1/trees/", .otherBytes, .truncated, .otherBytes, .otherBytes)
        #expect(code { try owner.control.pin() } == .corrupt)
    }

    @Test("A silent origin: the deadline answers, the fetch goes on for the others")
    func deadline() throws {
        let owner = try world.owner()
        let hasty = try owner.worker()
        let patient = try owner.worker()
        world.origin.fail(small.hex, .held)
        _ = try patient.send(.open(small, expectedSize: 6))
        while owner.server.status.origins[0].waiters < 1 { sched_yield() }
        #expect(
            code { try hasty.ask(.open(small, expectedSize: 6), deadline: .after(.milliseconds(30))) } == .timedOut)
        world.origin.release()
        #expect(try patient.receiveAnswer().answer.reply == .blob(Array("small\n".utf8)))
        #expect(world.origin.requests(small.hex) == 1)
    }

    @Test("Without progress a request fails in bounded time")
    func silent() throws {
        let owner = try world.owner { $0.requestTimeoutMilliseconds = 100 }
        world.origin.fail("/antares/v1/capabilities", .silent)
        #expect(code { try owner.control.pin() } == .timedOut)
    }

    @Test("A worker that cancels or dies takes nobody with it")
    func cancelled() throws {
        let owner = try world.owner()
        let staying = try owner.worker()
        var dying: Client? = try owner.worker()
        let cancelling = try owner.worker()
        world.origin.fail(small.hex, .held)
        _ = try dying?.send(.open(small, expectedSize: 6))
        while owner.server.status.origins[0].waiters < 1 { sched_yield() }
        let request = try cancelling.send(.open(small, expectedSize: 6))
        _ = try staying.send(.open(small, expectedSize: 6))
        while owner.server.status.origins[0].waiters < 3 { sched_yield() }
        _ = try cancelling.send(.cancel(id: request))
        dying = nil
        while owner.server.status.origins[0].waiters > 1 { sched_yield() }
        world.origin.release()
        #expect(try staying.receiveAnswer().answer.reply == .blob(Array("small\n".utf8)))
        // The next answer on this connection is for the next request: the cancelled one is not answered.
        #expect(try cancelling.contents(small, size: 6) == Array("small\n".utf8))
        #expect(owner.counter(.cancelled) == 1)
        #expect(world.origin.requests(small.hex) == 1)
    }

    @Test("A mirror is asked when the first place fails or lies")
    func mirrors() throws {
        let mirror = try StubOrigin(world.repository, dialect: .antares)
        defer { mirror.stop() }
        let owner = try world.owner { $0.origins[0].mirrors = [mirror.url + "/"] }
        world.origin.fail(small.hex, .otherBytes)
        #expect(try owner.worker().contents(small, size: 6) == Array("small\n".utf8))
        #expect(mirror.requests(small.hex) == 1)
        world.origin.stop()
        #expect(try owner.control.pin().commit == world.commit)
    }

    @Test("An origin that refuses connections is unreachable at once, not at the deadline")
    func refused() throws {
        let owner = try world.owner { $0.requestTimeoutMilliseconds = 3_600_000 }
        world.origin.stop()
        let error = #expect(throws: CacheError.self) { try owner.control.pin() }
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("main") == true)
    }

    @Test("Credentials the origin does not take are an error of their own")
    func unauthorized() throws {
        let owner = try world.owner()
        world.origin.fail("/antares/v1/commits", .status(401))
        #expect(code { try owner.control.pin() } == .unauthorized)
    }

    // MARK: Peers that break the protocol

    @Test(
        "A message that breaks the protocol closes its connection and no other",
        arguments: ["empty", "length", "operation", "control", "early", "twice", "trailing"])
    func violations(_ kind: String) throws {
        let owner = try world.owner()
        let good = try owner.worker()
        let bad = try owner.control.attach("main")
        var bytes = MessageHeader(operation: 2, id: 1).message(WorkerRequest.directory(small).encode())
        if kind != "early" { _ = try bad.ask(.hello(oldest: 1, newest: 1)) }
        switch kind {
        case "empty": bytes = [0]
        case "length": bytes.append(0)
        case "operation": bytes[4] = 99
        case "control":
            bytes = MessageHeader(operation: CacheOperation.shutDown.rawValue, id: 1).message()
        case "twice":
            bytes = MessageHeader(operation: 1, id: 1).message(WorkerRequest.hello(oldest: 1, newest: 1).encode())
        case "trailing":
            var payload = WorkerRequest.directory(small).encode()
            payload.put(UInt8(0))
            bytes = MessageHeader(operation: 2, id: 1).message(payload)
        default: break
        }
        try bad.socket.send(bytes)
        #expect(throws: (any Error).self) { try bad.receive() }
        #expect(owner.counter(.protocolErrors) == 1)
        #expect(try good.contents(small, size: 6) == Array("small\n".utf8))
    }

    @Test("A worker of another age is told so")
    func versions() throws {
        let owner = try world.owner()
        let worker = try owner.control.attach("main")
        #expect(code { try worker.ask(.hello(oldest: 7, newest: 9)) } == .invalidRequest)
    }

    @Test("A worker that does not read its answers gets them all later, and the owner serves others meanwhile")
    func slowReader() throws {
        let owner = try world.owner()
        let slow = try owner.worker()
        let other = try owner.worker()
        let bytes = try other.contents(big, size: UInt64(Self.bigSize))
        #expect(bytes.count == Self.bigSize)
        try slow.socket.setNonBlocking(true)
        var sent = 0
        // Until neither side takes more.
        while sent < 20_000 {
            do {
                _ = try slow.send(.open(small, expectedSize: 6))
                sent += 1
            } catch let error as SystemError where error.errno == .wouldBlock {
                break
            }
        }
        #expect(try other.contents(small, size: 6) == Array("small\n".utf8))
        var received = Set<UInt64>()
        while received.count < sent { received.insert(try slow.receiveAnswer().id) }
        #expect(received.count == sent)
    }
}
