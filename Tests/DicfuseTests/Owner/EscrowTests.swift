import CacheProtocol
import Foundation
import Glibc
import LinuxSystem
import Testing
import WireFormat

@testable import Dicfuse

/// What the owner keeps for the supervisor.
@Suite struct EscrowTests {
    private func withOwner(_ body: (OwnerHarness) throws -> Void) throws {
        let directory = NSTemporaryDirectory() + "escrow-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let owner = try OwnerHarness(.test(directory, "http://127.0.0.1:9"))
        defer { owner.stop() }
        try body(owner)
    }

    /// `Client.ask` has a sister for workers; here its type is plain.
    private func ask(_ owner: OwnerHarness, _ request: ControlRequest, fds: [Int32] = []) throws -> ControlReply {
        try owner.control.ask(request, fds: fds)
    }

    private func reclaim(_ mount: String, _ client: Client) throws -> (device: OwnedFileBox, session: OwnedFileBox) {
        _ = try client.send(.reclaim(mount: mount))
        let (header, _, fds) = try client.receive()
        #expect(header.operation == CacheOperation.reclaim.rawValue)
        #expect(fds.count == 2)
        guard let device = fds.take(0), let session = fds.take(1) else { throw Client.Closed() }
        return (OwnedFileBox(device), OwnedFileBox(session))
    }

    @Test func whatIsDepositedComesBackToTheNextSupervisor() throws {
        try withOwner { owner in
            let memory = try SharedMemory(name: "session", size: 4096)
            memory.base.storeBytes(of: 0x5A, as: UInt8.self)
            var pipe: [Int32] = [-1, -1]
            #expect(Glibc.pipe(&pipe) == 0)
            let readEnd = OwnedFD(taking: pipe[0])
            let writeEnd = OwnedFD(taking: pipe[1])
            // The first supervisor goes without waiting for the answer.
            do {
                let (near, far) = try OwnerHarness.pair()
                try owner.server.attachControl(far.value.duplicate())
                _ = try Client(near.value.duplicate()).send(
                    .deposit(mount: "m"), fds: [writeEnd.raw, memory.fd.raw])
            }
            let deadline = Deadline.after(.seconds(20))
            while !deadline.hasPassed {
                if try ask(owner, .holdings) == .holdings(["m"]) { break }
            }

            let (device, session) = try reclaim("m", owner.control)
            let mapped = try SharedMemory(
                received: session.value.duplicate(), minimum: 4096, writable: true)
            #expect(mapped.base.load(as: UInt8.self) == 0x5A)
            var byte: UInt8 = 7
            #expect(write(device.value.raw, &byte, 1) == 1)
            byte = 0
            #expect(read(readEnd.raw, &byte, 1) == 1 && byte == 7)
            // It is still kept.
            _ = try reclaim("m", owner.control)
        }
    }

    @Test func whatIsReleasedIsClosed() throws {
        try withOwner { owner in
            let memory = try SharedMemory(name: "session", size: 4096)
            var pipe: [Int32] = [-1, -1]
            #expect(Glibc.pipe(&pipe) == 0)
            let readEnd = OwnedFD(taking: pipe[0])
            do {
                let writeEnd = OwnedFD(taking: pipe[1])
                #expect(
                    try ask(owner, .deposit(mount: "m"), fds: [writeEnd.raw, memory.fd.raw]) == .deposited)
            }
            #expect(try ask(owner, .release(mount: "m")) == .released)
            var byte: UInt8 = 0
            #expect(read(readEnd.raw, &byte, 1) == 0, "the last writer is gone")
            #expect(try ask(owner, .release(mount: "m")) == .released, "nothing to release is no error")
            #expect(try ask(owner, .holdings) == .holdings([]))
            let error = #expect(throws: CacheError.self) { try ask(owner, .reclaim(mount: "m")) }
            #expect(error?.code == .notFound)
        }
    }

    @Test func aDepositReplacesTheEarlierOne() throws {
        try withOwner { owner in
            let first = try SharedMemory(name: "session", size: 4096)
            let second = try SharedMemory(name: "session", size: 8192)
            for memory in [first.fd.raw, second.fd.raw] {
                _ = try ask(owner, .deposit(mount: "m"), fds: [memory, memory])
            }
            let (_, session) = try reclaim("m", owner.control)
            #expect(try File.size(of: session.value.raw) == 8192)
        }
    }

    @Test func aWorkerCannotReachTheEscrow() throws {
        try withOwner { owner in
            let memory = try SharedMemory(name: "session", size: 4096)
            _ = try ask(owner, .deposit(mount: "m"), fds: [memory.fd.raw, memory.fd.raw])
            let worker = try owner.worker()
            _ = try worker.send(.reclaim(mount: "m"))
            #expect(throws: Client.Closed.self, "the connection is closed") { try worker.receive() }
        }
    }

    @Test func aDepositWithoutDescriptorsEndsTheConnection() throws {
        try withOwner { owner in
            _ = try owner.control.send(.deposit(mount: "m"))
            #expect(throws: Client.Closed.self) { try owner.control.receive() }
        }
    }

    @Test func versionsAreNegotiated() throws {
        try withOwner { owner in
            let greeting = try ask(owner, .greet(oldest: 1, newest: 9))
            #expect(greeting == .greeted(version: ControlProtocolVersion.newest))
            let error = #expect(throws: CacheError.self) { try ask(owner, .greet(oldest: 8, newest: 9)) }
            #expect(error?.message.contains("speaks control protocol 2...5, the supervisor 8 to 9") == true)
        }
    }

    @Test func threadsShowThatTheyMove() throws {
        try withOwner { owner in
            guard case .pulse(let threads) = try ask(owner, .ping) else {
                Issue.record("no pulse")
                return
            }
            #expect(!threads.isEmpty)
            // The one that answers is at work.
            #expect(threads.contains { $0.busy > 0 && $0.turns > 0 })
        }
    }
}
