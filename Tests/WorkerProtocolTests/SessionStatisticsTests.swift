import GitObjects
import LinuxSystem
import Testing
import WorkerProtocol

@Suite struct SessionStatisticsTests {
    private static let parameters = SessionParameters(
        root: .emptyTreeSHA1, time: 0, uid: 1, gid: 2, probeName: ".probe", requestTimeout: 3, minimumRate: 4)

    private func memory(blocks: Int = 8) throws -> SessionMemory {
        try SessionMemory(
            initRequest: [1, 2, 3], initReply: [4, 5], parameters: Self.parameters, blockCapacity: blocks)
    }

    private func again(_ memory: SessionMemory) throws -> SessionMemory {
        try SessionMemory(received: try memory.fd.duplicate())
    }

    @Test func whatOneHolderCountsTheOthersSee() throws {
        let worker = try memory()
        let supervisor = try again(worker)
        for nanoseconds: UInt64 in [1, 10_000, 10_001, 20_000_000_000] { worker.note(.read, took: nanoseconds) }
        worker.note(.lookup, took: 5)
        worker.note(.damaged)
        supervisor.note(.quarantined)
        worker.note(.damaged)
        let counts = supervisor.counts
        #expect(counts[.read].count == 4 && counts[.read].sum == 20_000_020_002)
        #expect(counts[.read].buckets.first == 2 && counts[.read].buckets[1] == 1 && counts[.read].buckets.last == 1)
        #expect(counts[.lookup].count == 1)
        for kind in RequestKind.allCases where kind != .read && kind != .lookup { #expect(counts[kind].count == 0) }
        for cause in FailureCause.allCases {
            #expect(counts[cause] == (cause == .damaged ? 2 : cause == .quarantined ? 1 : 0))
        }
        #expect(worker.blockCount == 1, "the table ends before them")
        var sum = counts
        sum += counts
        #expect(sum[.read].count == 8 && sum[.read].sum == 40_000_040_004 && sum[.damaged] == 4)
    }

    @Test func everyKindHasAPlaceOfItsOwn() throws {
        let memory = try memory()
        for (index, kind) in RequestKind.allCases.enumerated() {
            for _ in 0...index { memory.note(kind, took: .max / 1000) }
        }
        for cause in FailureCause.allCases { memory.note(cause) }
        _ = memory.noteWaiting(7, since: 9)
        let counts = memory.counts
        for (index, kind) in RequestKind.allCases.enumerated() { #expect(counts[kind].count == UInt64(index + 1)) }
        for cause in FailureCause.allCases { #expect(counts[cause] == 1) }
        #expect(memory.oldestRequest == 9)
    }

    @Test func kindsAreTheKernels() {
        let codes: [UInt32: RequestKind] = [
            1: .lookup, 3: .attributes, 5: .readLink, 15: .read, 17: .statistics, 28: .list, 44: .listWithAttributes,
            14: .other, 22: .other,
        ]
        for (code, kind) in codes { #expect(RequestKind(opcode: code) == kind) }
    }

    // MARK: Requests that wait

    @Test func theOldestRequestIsKnown() throws {
        let worker = try memory()
        let supervisor = try again(worker)
        #expect(supervisor.oldestRequest == nil)
        worker.setInFlight(slot: 1, InFlightRequest(unique: 8, opcode: 1, node: 1), since: 500)
        #expect(supervisor.oldestRequest == 500)
        let place = try #require(worker.noteWaiting(9, since: 300))
        let other = try #require(worker.noteWaiting(10, since: 400))
        #expect(supervisor.oldestRequest == 300)
        #expect(supervisor.unansweredCount == 3)
        // One that waited is worked on again, under the number that the kernel sent it again with.
        worker.setInFlight(slot: 32, InFlightRequest(unique: FuseMessage.resentBit | 9, opcode: 1, node: 1), since: 300)
        #expect(supervisor.unansweredCount == 3)
        worker.setInFlight(slot: 32, .none)
        worker.clearWaiting(place)
        #expect(supervisor.oldestRequest == 400)
        worker.clearWaiting(other)
        worker.setInFlight(slot: 1, .none)
        #expect(supervisor.oldestRequest == nil && supervisor.unansweredCount == 0)
    }

    @Test func theNextWorkerKnowsSinceWhen() throws {
        let first = try memory()
        let supervisor = try again(first)
        first.setInFlight(slot: 3, InFlightRequest(unique: FuseMessage.resentBit | 8, opcode: 1, node: 1), since: 500)
        _ = first.noteWaiting(FuseMessage.resentBit | 9, since: 300)
        // It died.
        supervisor.clearInFlight()
        #expect(supervisor.inFlight().isEmpty)
        #expect(supervisor.oldestRequest == 300, "nobody has them, and they wait all the same")
        let second = try again(first)
        #expect(second.takeWaiting() == [8: 500, 9: 300])
        #expect(second.takeWaiting() == [:])
        #expect(supervisor.oldestRequest == nil)
        // A worker of an earlier build does not say since when.
        second.setInFlight(slot: 3, InFlightRequest(unique: 11, opcode: 1, node: 1))
        #expect(supervisor.oldestRequest == nil)
    }

    @Test func ofMoreThanThereIsRoomForTheOldestAreKnown() throws {
        let memory = try memory()
        for number in 1...UInt64(SessionMemory.waitingCapacity) {
            #expect(memory.noteWaiting(number, since: number) != nil)
        }
        #expect(memory.noteWaiting(4711, since: 4711) == nil)
        #expect(memory.oldestRequest == 1)
        #expect(memory.takeWaiting().count == SessionMemory.waitingCapacity)
    }

    // MARK: Other builds

    /// Byte 1048 says where the statistics are.
    private func set(_ value: UInt64, at offset: Int, in memory: SessionMemory) throws {
        let raw = try SharedMemory(received: try memory.fd.duplicate(), minimum: 4096, writable: true)
        raw.base.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    @Test(arguments: [0, 4096, 4160, UInt64.max] as [UInt64])
    func aMemoryOfAnEarlierBuildIsServed(word: UInt64) throws {
        let old = try memory()
        try set(word, at: 1048, in: old)
        let new = try again(old)
        #expect(new.blockCapacity == 8 + 128, "all behind the head is table there")
        for number in 0..<135 {
            #expect(
                new.append(
                    DirectoryBlock(base: UInt64(number + 2), count: 1, parent: 1, directory: .emptyTreeSHA1)))
        }
        new.note(.read, took: 1)
        new.note(.damaged)
        #expect(new.noteWaiting(8, since: 1) == nil && new.takeWaiting().isEmpty)
        #expect(new.counts == SessionStatistics())
        #expect((1..<136).allSatisfy { new.block($0).base == UInt64($0 + 1) && new.block($0).count == 1 })
        new.setInFlight(slot: 0, InFlightRequest(unique: 8, opcode: 1, node: 1), since: 5)
        #expect(new.oldestRequest == 5)
    }

    @Test func anEarlierBuildMayFillTheTableToItsEnd() throws {
        let memory = try memory()
        memory.note(.read, took: 1)
        // To it the table goes on where the statistics are.
        try set(9, at: 1024, in: memory)
        let new = try again(memory)
        #expect(new.blockCapacity == 8 + 128 && new.blockCount == 9)
        #expect(new.counts == SessionStatistics())
    }

    @Test func aRollingUpgradeNeedsNoOtherLayout() throws {
        #expect(WorkerVersions.own.session == 2...2)
        #expect(try memory().layout == 2)
    }
}
