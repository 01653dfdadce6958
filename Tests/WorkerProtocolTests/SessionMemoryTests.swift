import GitObjects
import LinuxSystem
import Testing
import WireFormat
import WorkerProtocol

@Suite struct SessionMemoryTests {
    private static let parameters = SessionParameters(
        root: .emptyTreeSHA1, time: -1, uid: 1, gid: 2, probeName: ".probe", requestTimeout: 3, minimumRate: 4,
        form: .trigger)

    private func memory(blocks: Int = 8) throws -> SessionMemory {
        try SessionMemory(
            initRequest: [1, 2, 3], initReply: [4, 5], parameters: Self.parameters, blockCapacity: blocks)
    }

    @Test func theNextHolderReadsWhatTheFirstWrote() throws {
        let first = try memory()
        let block = DirectoryBlock(
            base: 2, count: 5, parent: 1, directory: ObjectID(kind: .sha256, bytes: [UInt8](repeating: 9, count: 32))!)
        #expect(first.append(block))
        first.add(.served, 3)
        first.setInFlight(slot: 2, InFlightRequest(unique: 1 << 63 | 8, opcode: 15, node: 6))
        let second = try SessionMemory(received: try first.fd.duplicate())
        #expect(second.initRequest == [1, 2, 3])
        #expect(second.initReply == [4, 5])
        #expect(try second.parameters() == Self.parameters)
        #expect(second.blockCapacity == 8)
        #expect(second.blockCount == 2)
        #expect(second.block(0) == DirectoryBlock(base: 1, count: 1, parent: 0, directory: .emptyTreeSHA1))
        #expect(second.block(1) == block)
        #expect(second.value(.served) == 3)
        #expect(second.value(.failures) == 0)
        #expect(second.inFlight() == [2: InFlightRequest(unique: 1 << 63 | 8, opcode: 15, node: 6)])
        second.setInFlight(slot: 2, .none)
        #expect(first.inFlight().isEmpty)
    }

    @Test func theWorkerReadsWhatWasJudged() throws {
        let first = try memory()
        let second = try SessionMemory(received: try first.fd.duplicate())
        #expect(second.judged().isEmpty)
        let judged = [JudgedRequest(unique: 8, treatment: .alone), JudgedRequest(unique: 10, treatment: .refuse)]
        first.setJudged(judged)
        #expect(second.judged() == judged)
        first.setJudged([JudgedRequest](repeating: judged[0], count: SessionMemory.judgedCapacity + 9))
        #expect(second.judged().count == SessionMemory.judgedCapacity)
        #expect(second.inFlight().isEmpty, "the slots lie behind the judged requests")
        first.setJudged([])
        #expect(second.judged().isEmpty)
    }

    @Test func aRequestSentAgainIsTheSameRequest() {
        let first = InFlightRequest(unique: 8, opcode: 1, node: 2)
        #expect(InFlightRequest(unique: 8 | FuseMessage.resentBit, opcode: 1, node: 2).original == first)
    }

    @Test func theTableEnds() throws {
        let memory = try memory(blocks: 2)
        let block = DirectoryBlock(base: 2, count: 0, parent: 1, directory: .emptyTreeSHA1)
        #expect(memory.append(block))
        #expect(!memory.append(block))
        #expect(memory.blockCount == 2)
    }

    @Test func whatDoesNotFitIsRefused() {
        #expect(throws: SystemError.self) {
            try SessionMemory(
                initRequest: [UInt8](repeating: 0, count: 257), initReply: [], parameters: Self.parameters,
                blockCapacity: 2)
        }
    }

    @Test func anotherFileIsRefused() throws {
        let other = try SharedMemory(name: "other", size: 8192)
        #expect(throws: SystemError.self) { _ = try SessionMemory(received: try other.fd.duplicate()) }
        let small = try SharedMemory(name: "small", size: 64)
        #expect(throws: SystemError.self) { _ = try SessionMemory(received: try small.fd.duplicate()) }
        let bytes = [UInt8](repeating: 0, count: 8192)
        let sealed = try bytes.withUnsafeBytes { SharedFD(try SharedMemory.sealedFile(name: "sealed", $0)) }
        #expect(throws: SystemError.self) { _ = try SessionMemory(received: try sealed.duplicate()) }
    }

    /// Byte 8 is the layout, 64 the kernel's request, 320 the reply, 576 the parameters.
    @Test(arguments: [8, 64, 320, 576 + 40])
    func aMemoryThatIsNotAsItWasMadeIsRefused(offset: Int) throws {
        let first = try memory()
        let raw = try SharedMemory(received: try first.fd.duplicate(), minimum: 4096, writable: true)
        raw.base.storeBytes(
            of: raw.base.load(fromByteOffset: offset, as: UInt8.self) ^ 1, toByteOffset: offset, as: UInt8.self)
        let error = #expect(throws: SystemError.self) { _ = try SessionMemory(keeping: try first.fd.duplicate()) }
        #expect(error?.errno == .protocolError)
    }

    @Test func whatWorkersWriteDoesNotChangeThePersonality() throws {
        let first = try memory()
        let personality = first.personality
        first.add(.served)
        first.append(DirectoryBlock(base: 2, count: 1, parent: 1, directory: .emptyTreeSHA1))
        #expect(first.personality == personality)
        #expect(try SessionMemory(keeping: try first.fd.duplicate()).personality == personality)
        var other = Self.parameters
        other.probeName = ".another"
        let second = try SessionMemory(initRequest: [1, 2, 3], initReply: [4, 5], parameters: other, blockCapacity: 8)
        #expect(second.personality != personality)
        #expect(!first.isServable, "no kernel sent that request")
    }

    @Test func versionsAgreeOrNot() throws {
        let own = WorkerVersions(control: 2...4, session: 1...1)
        #expect(own.agreed(with: WorkerVersions(control: 1...3, session: 9...9)) == 3)
        #expect(own.agreed(with: WorkerVersions(control: 5...6, session: 1...1)) == nil)
        var reader = WireReader(WorkerControlReply.greeted(own).encode().bytes)
        #expect(try WorkerControlReply(operation: .greet, from: &reader) == .greeted(own))
        var backwards = WireReader([4, 0, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0])
        #expect(throws: WireError.invalid("range of versions")) {
            try WorkerControlReply(operation: .greet, from: &backwards)
        }
    }

    @Test func controlMessagesComeBack() throws {
        let requests: [WorkerControlRequest] = [
            .assume(version: 1, mount: "m-1"), .reconnectCache, .status, .stop,
        ]
        for request in requests {
            var reader = WireReader(request.encode().bytes)
            #expect(try WorkerControlRequest(operation: request.operation, from: &reader) == request)
        }
        var status = WorkerStatus()
        status.serving = true
        status.readerTurns = 1
        status.served = 2
        status.waiting = 3
        status.oldestWait = 4
        status.directories = 5
        status.failures = 6
        let replies: [(WorkerOperation, WorkerControlReply)] = [
            (.assume, .serving), (.reconnectCache, .reconnected), (.status, .status(status)), (.stop, .stopping),
        ]
        for (operation, reply) in replies {
            var reader = WireReader(reply.encode().bytes)
            #expect(try WorkerControlReply(operation: operation, from: &reader) == reply)
        }
        #expect(WorkerControlRequest.assume(version: 1, mount: "").descriptorCount == 3)
        #expect(WorkerControlRequest.reconnectCache.descriptorCount == 1)
    }
}
