import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("What the owner counts of its fetches", .timeLimit(.minutes(2)))
struct FetchFiguresTests {
    let world: World
    let files: [ObjectID]

    init() throws {
        world = try World(
            .antares, Dictionary(uniqueKeysWithValues: (0..<6).map { ("file\($0)", .file("contents \($0)\n")) }))
        files = try (0..<6).map { [world] in try world.repository.id("HEAD:file\($0)") }
    }

    private func read(_ worker: Client, _ index: Int) throws {
        #expect(try worker.contents(files[index], size: 11) == Array("contents \(index)\n".utf8))
    }

    @Test("A retry is counted by its origin and its cause")
    func retries() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        let faults: [(StubOrigin.Fault, PlaceFailure)] = [
            (.status(429), .throttled), (.status(500), .serverError), (.otherBytes, .corrupt),
            (.truncated, .interrupted),
        ]
        for (index, (fault, _)) in faults.enumerated() {
            world.origin.fail(files[index].hex, fault)
            try read(worker, index)
        }
        let origin = try #require(try owner.control.report().origins.first)
        for cause in PlaceFailure.allCases {
            #expect(origin.retries[cause.rawValue] == (faults.contains { $0.1 == cause } ? 1 : 0), "\(cause)")
        }
        #expect(origin.retries[FetchFigures.overloaded] == 0)
        #expect(origin.retries.values.reduce(0, +) == owner.counter(.retries))
    }

    @Test("The time of every attempt is in the histogram")
    func times() throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        func counted() throws -> UInt64 {
            let times = try #require(try owner.control.report().origins.first?.fetchTimes)
            #expect(times.buckets.count == times.bounds.count + 1 && times.bounds == times.bounds.sorted())
            return times.buckets.reduce(0, +)
        }
        try read(worker, 0)
        let before = try counted()
        try read(worker, 1)
        #expect(try counted() == before + 1)
        world.origin.fail(files[2].hex, .status(500))
        try read(worker, 2)
        #expect(try counted() == before + 3)
        // What is there is not fetched.
        try read(worker, 2)
        #expect(try counted() == before + 3)
        #expect(try owner.control.report().origins.first?.fetchTimes?.sum ?? 0 > 0)
    }

    /// One fetch that takes 30 milliseconds.
    private func readSlowly(_ worker: Client) throws {
        world.origin.fail(files[0].hex, .held)
        let asked = try worker.send(.open(files[0], expectedSize: 11))
        while world.origin.requests(files[0].hex) < 1 { sched_yield() }
        let limit = Deadline.after(.milliseconds(30))
        while !limit.hasPassed { sched_yield() }
        world.origin.release()
        #expect(try worker.receiveAnswer().id == asked)
    }

    @Test("From how long on a fetch is told of can be said while the owner runs", arguments: [nil, 0, 10, 60_000])
    func slow(limit: UInt64?) throws {
        let owner = try world.owner()
        let worker = try owner.worker()
        if let limit { #expect(try owner.control.ask(.tell(slowMilliseconds: limit)) == .telling) }
        try readSlowly(worker)
        #expect(owner.counter(.slowFetches) == (limit == 10 ? 1 : 0))
    }
}
