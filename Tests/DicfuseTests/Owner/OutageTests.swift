import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Owner and places that come and go", .timeLimit(.minutes(2)))
struct OutageTests {
    let world: World
    let ids: [ObjectID]
    let big: ObjectID
    static let bigSize = 200_000

    init() throws {
        var files: [String: TestRepository.Content] = [:]
        for index in 0..<60 { files["f\(index)"] = .file("file \(index)\n") }
        files["big"] = .bytes((0..<Self.bigSize).map { UInt8(truncatingIfNeeded: $0 &* 11) })
        world = try World(.antares, files)
        let repository = world.repository
        big = try repository.id("HEAD:big")
        ids = try (0..<60).map { try repository.id("HEAD:f\($0)") }
    }

    private func size(_ index: Int) -> UInt64 { UInt64("file \(index)\n".utf8.count) }

    private func code(_ body: () throws -> some Any) -> CacheError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? CacheError)?.code
        }
    }

    @Test(
        "An origin that is down is noticed once: readers are told at once, what is cached is served, the status shows it"
    )
    func noticedOnce() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        _ = try owner.control.pin()
        let kept = try worker.contents(ids[0], size: size(0))
        #expect(owner.server.status.origins[0].state == "online")
        world.origin.stop()
        for index in 1..<30 { #expect(code { try worker.contents(ids[index], size: size(index)) } == .unreachable) }
        let status = owner.server.status.origins[0]
        #expect(status.state == "offline")
        #expect(status.offlineSeconds != nil)
        #expect(status.places.map(\.answers) == [false])
        #expect(owner.counter(.outages) == 1)
        #expect(owner.counter(.offlineRefusals) > 0)
        // Far fewer tries than readers times attempts.
        #expect(status.places[0].failures["unreachable"] ?? 0 < 29)
        #expect(try worker.contents(ids[0], size: size(0)) == kept)
    }

    @Test("An origin that comes back is found by a reader, without anybody's help")
    func comesBack() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        _ = try owner.control.pin()
        world.origin.stop()
        var index = 0
        while owner.server.status.origins[0].state != "offline" {
            _ = try? worker.contents(ids[index % 60], size: size(index % 60))
            index += 1
        }
        let back = try StubOrigin(world.repository, dialect: .antares, port: world.origin.port)
        defer { back.stop() }
        // Each try is answered; sooner or later one of them is the probe.
        while true {
            if let bytes = try? worker.contents(ids[59], size: size(59)) {
                #expect(ObjectID.hash(blob: bytes) == ids[59])
                break
            }
        }
        #expect(owner.server.status.origins[0].state == "online")
    }

    @Test("A restart of the origin costs a pause, never an error")
    func restart() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        _ = try owner.control.pin()
        world.origin.stop()
        for index in ids.indices { _ = try worker.send(.open(ids[index], expectedSize: size(index))) }
        while owner.counter(.retries) < 1 { sched_yield() }
        let back = try StubOrigin(world.repository, dialect: .antares, port: world.origin.port)
        defer { back.stop() }
        for _ in ids { _ = try worker.receiveAnswer() }
    }

    @Test(
        "With a mirror no fault of the first place is an error, whatever it is and however long it lasts",
        arguments: [
            StubOrigin.Fault.status(500), .status(503, retryAfter: 3600), .otherBytes, .truncated, .endless, .reset,
            .overstated, .otherObject, .gzipBomb, .redirect, .flood,
        ])
    func mirror(_ fault: StubOrigin.Fault) throws {
        let mirror = try StubOrigin(world.repository, dialect: .antares)
        defer { mirror.stop() }
        let owner = try world.owner { $0.origins[0].mirrors = [mirror.url] }
        let worker = try owner.worker()
        _ = try owner.control.pin()
        for _ in 0..<100 { world.origin.fail("/file/blob/", fault) }
        for index in 0..<20 {
            #expect(try ObjectID.hash(blob: worker.contents(ids[index], size: size(index))) == ids[index])
        }
        // The bad place is left alone after it was noticed, and the status says what was wrong with it.
        let places = owner.server.status.origins[0].places
        #expect(places[0].failures.values.reduce(0, +) > 0)
        #expect(places[0].requests < 20)
        #expect(mirror.requests("/file/blob/") == 20)
    }

    @Test(
        "A silent place, or one that drips, costs a moment and not the deadline when there is a mirror",
        arguments: [StubOrigin.Fault.silent, .drip(), .drip(announced: false)])
    func silentPlace(_ fault: StubOrigin.Fault) throws {
        let mirror = try StubOrigin(world.repository, dialect: .antares)
        defer { mirror.stop() }
        let owner = try world.owner {
            $0.origins[0].mirrors = [mirror.url]
            $0.requestTimeoutMilliseconds = 60_000
        }
        _ = try owner.control.pin()
        world.origin.fail("/file/blob/", fault)
        let worker = try owner.worker()
        let bytes = try worker.contents(big, size: UInt64(Self.bigSize), deadline: .after(.seconds(30)))
        #expect(ObjectID.hash(blob: bytes) == big)
        #expect(owner.server.status.origins[0].places[0].failures["timedOut"] == 1)
    }

    @Test("A drip without an end fails in bounded time", arguments: [true, false])
    func drip(_ announced: Bool) throws {
        let owner = try world.owner { $0.requestTimeoutMilliseconds = 200 }
        _ = try owner.control.pin()
        for _ in 0..<4 { world.origin.fail("/file/blob/", .drip(announced: announced)) }
        #expect(code { try owner.worker().contents(big, size: UInt64(Self.bigSize)) } == .timedOut)
        // The flight outlives who waited for it, and has its own end.
        while owner.server.status.origins[0].flights > 0 { sched_yield() }
    }

    @Test("What a mirror does not have yet is asked of the first place")
    func laggingMirror() throws {
        let mirror = try StubOrigin(world.repository, dialect: .antares)
        defer { mirror.stop() }
        let owner = try world.owner { $0.origins[0].mirrors = [mirror.url] }
        _ = try owner.control.pin()
        mirror.remove(ids[3])
        world.origin.fail(ids[3].hex, .status(500))
        #expect(try owner.worker().contents(ids[3], size: size(3)) == Array("file 3\n".utf8))
        #expect(mirror.requests(ids[3].hex) == 1)
        #expect(world.origin.requests(ids[3].hex) == 2)
    }

    @Test("Retry-After is honoured: the place is not asked before")
    func retryAfter() throws {
        let owner = try world.owner()
        _ = try owner.control.pin()
        world.origin.fail("/file/blob/", .status(429, retryAfter: 1))
        let began = Deadline.now
        #expect(try owner.worker().contents(ids[0], size: size(0)) == Array("file 0\n".utf8))
        #expect(Deadline.now >= began.advanced(by: .seconds(1)))
    }

    // MARK: Access

    @Test("The token is read from its file for each request, and nothing shows it")
    func token() throws {
        let file = "\(world.cache)-token"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try "first-secret\n".write(toFile: file, atomically: true, encoding: .utf8)
        let owner = try world.owner { $0.origins[0].tokenFile = file }
        _ = try owner.control.pin()
        #expect(world.origin.lastHead.contains("Authorization: Bearer first-secret"))
        try "second-secret".write(toFile: file, atomically: true, encoding: .utf8)
        _ = try owner.worker().contents(ids[0], size: size(0))
        #expect(world.origin.lastHead.contains("Authorization: Bearer second-secret"))
        #expect(!owner.server.status.json.contains("secret"))
        for bad in ["", " \n", "a\u{7}b"] {
            try bad.write(toFile: file, atomically: true, encoding: .utf8)
            let before = world.origin.total
            let error = #expect(throws: CacheError.self) { try owner.control.pin() }
            #expect(error?.code == .unauthorized)
            #expect(error?.message.contains("token_file") == true)
            #expect(world.origin.total == before)
        }
        try FileManager.default.removeItem(atPath: file)
        #expect(code { try owner.control.pin() } == .unauthorized)
    }

    @Test("Everything goes through the proxy when there is one")
    func proxy() throws {
        // The stub answers whole addresses too: it is its own proxy, for a host that does not exist.
        let owner = try world.owner {
            $0.origins[0].url = "http://origin.invalid:81"
            $0.origins[0].proxy = world.origin.url
        }
        #expect(try owner.control.pin().commit == world.commit)
        #expect(world.origin.lastHead.contains("http://origin.invalid:81/"))
        #expect(try owner.worker().contents(ids[0], size: size(0)) == Array("file 0\n".utf8))
    }

    @Test("Addresses that hold credentials are refused, because addresses are shown")
    func credentials() {
        func problem(_ change: (inout CacheConfiguration.Origin) -> Void) -> Bool {
            var configuration = CacheConfiguration.test("/tmp/x", "http://127.0.0.1:1")
            change(&configuration.origins[0])
            return (try? configuration.validate()) == nil
        }
        #expect(!problem { _ in })
        #expect(problem { $0.url = "http://user:secret@host" })
        #expect(problem { $0.mirrors = ["http://token@host/x"] })
        #expect(problem { $0.proxy = "http://user@host:1" })
        #expect(problem { $0.proxy = "host:1" })
        #expect(problem { $0.clientKeyFile = "/key" })
        #expect(!problem { $0.proxy = "http://host:1" })
    }
}
