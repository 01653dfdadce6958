import LinuxSystem
import Testing

@testable import MountWorker

@Suite(.timeLimit(.minutes(1))) struct ReadersTests {
    /// The threads of this process that read requests, or are to.
    private func threads() throws -> Set<String> {
        let tasks = "/proc/self/task"
        return Set(
            try Directory.names(tasks).map { String(decoding: $0, as: UTF8.self) }
                .filter { (try? File.text("\(tasks)/\($0)/comm"))?.hasPrefix("fuse-") == true })
    }

    private func wait(until condition: () throws -> Bool) async throws {
        while try !condition() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    @Test func eachBeginsOnceWithMemoryOfItsOwn() async throws {
        let seen = Guarded<[Int: UInt]>([:])
        let others = try threads()
        let readers = try Readers(count: 3)
        try await wait { try threads().subtracting(others).count == 3 }
        #expect(seen.with { $0.isEmpty }, "nothing is done before there is anything to do")
        readers.begin { slot, request in
            #expect(request.count == Readers.requestSize)
            seen.with { $0[slot] = UInt(bitPattern: request.baseAddress) }
        }
        try await wait { seen.with { $0.count } == 3 }
        #expect(Set(seen.with { $0.values }).count == 3)
        try await wait { try threads().isDisjoint(with: threads().subtracting(others)) }
    }

    @Test func thoseThatNobodyNeedsEnd() async throws {
        let others = try threads()
        var readers: Readers? = try Readers(count: 2)
        try await wait { try threads().subtracting(others).count == 2 }
        let started = try threads().subtracting(others)
        withExtendedLifetime(readers) {}
        readers = nil
        try await wait { try threads().isDisjoint(with: started) }
    }
}
