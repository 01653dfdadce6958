import GitObjects
import LinuxSystem
import Testing
import WireFormat
import WorkerProtocol

@Suite struct SessionMemoryTests {
    private static let parameters = SessionParameters(
        root: .emptyTreeSHA1, time: -1, uid: 1, gid: 2, probeName: ".probe", requestTimeout: 3, minimumRate: 4)

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
        #expect(second.inFlight() == [InFlightRequest(unique: 1 << 63 | 8, opcode: 15, node: 6)])
        second.setInFlight(slot: 2, .none)
        #expect(first.inFlight().isEmpty)
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
