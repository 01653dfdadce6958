import Glibc
import LinuxSystem
import Testing

@Suite struct MessageSocketTests {
    private let left: MessageSocket
    private let right: MessageSocket

    init() throws {
        (left, right) = try MessageSocket.pair()
    }

    private var soon: Deadline { .after(.seconds(20)) }

    @Test func messagesKeepTheirBoundaries() throws {
        try left.send([1, 2], [3])
        try left.send([4])
        #expect(try right.receive(until: soon)?.bytes == [1, 2, 3])
        #expect(try right.receive(until: soon)?.bytes == [4])
        let largest = [UInt8](repeating: 7, count: MessageSocket.maximumMessage)
        try left.send(Array(largest[..<100]), Array(largest[100...]))
        #expect(try right.receive(until: soon)?.bytes == largest)
    }

    @Test func descriptorsTravelInOrder() throws {
        let one = try Pipe()
        let two = try Pipe()
        try left.send([0], fds: [one.write.raw, two.write.raw])
        let received = try #require(try right.receive(until: soon)).fds
        #expect(received.count == 2)
        guard let second = received.take(1) else {
            Issue.record("nothing came")
            return
        }
        #expect(fcntl(second.raw, F_GETFD) & FD_CLOEXEC == FD_CLOEXEC)
        try write("to two", to: second.raw)
        var text = [UInt8](repeating: 0, count: 6)
        #expect(read(two.read.raw, &text, 6) == 6 && text == Array("to two".utf8))
    }

    @Test func aDescriptorCanBeTakenOnce() throws {
        let pipe = try Pipe()
        try left.send([0], fds: [pipe.write.raw])
        let fds = try #require(try right.receive(until: soon)).fds
        func comes(_ index: Int) -> Bool {
            if fds.take(index) != nil { return true }
            return false
        }
        #expect(comes(0))
        #expect(!comes(0))
        #expect(!comes(1))
        #expect(!comes(-1))
    }

    @Test func descriptorsThatNobodyTakesAreClosed() throws {
        let pipe = try Pipe()
        let reading = try pipe.read.duplicate()
        try left.send([0], fds: [pipe.write.raw])
        drop(pipe)
        var message = try right.receive(until: soon)
        #expect(!isAtEnd(reading.raw))
        message = nil
        #expect(message == nil && isAtEnd(reading.raw))
    }

    @Test func aMessageThatDoesNotFitIsAnErrorAndItsDescriptorsAreClosed() throws {
        let pipe = try Pipe()
        let reading = try pipe.read.duplicate()
        try left.send([UInt8](repeating: 1, count: 100), fds: [pipe.write.raw])
        drop(pipe)
        var small = [UInt8](repeating: 0, count: 10)
        let error = systemError { _ = try small.withUnsafeMutableBytes { try right.receive(into: $0) } }
        #expect(error?.errno == .messageTooLong)
        #expect(isAtEnd(reading.raw))
        try left.send([2])
        #expect(try right.receive(until: soon)?.bytes == [2], "the next message is whole")
    }

    @Test func moreDescriptorsThanFitAreRefused() throws {
        let pipe = try Pipe()
        #expect(
            systemError { try left.send([0], fds: [Int32](repeating: pipe.read.raw, count: 33)) }?.errno
                == .invalidArgument)
        try left.send([1], fds: [Int32](repeating: pipe.read.raw, count: 32))
        #expect(try right.receive(until: soon)?.fds.count == 32)
    }

    @Test func theEndIsNeitherAMessageNorAnError() throws {
        try left.send([1])
        left.shutDown()
        #expect(try right.receive(until: soon)?.bytes == [1])
        #expect(try right.receive(until: soon) == nil)
        #expect(try right.receive(until: soon) == nil)
    }

    @Test func sendingToNobodyIsAnErrorAndNoSignal() throws {
        right.shutDown()
        #expect(systemError { try left.send([1]) }?.errno == .brokenPipe)
    }

    @Test func receivingEndsWithTheDeadline() {
        #expect(systemError { _ = try right.receive(until: .after(.milliseconds(5))) }?.errno == .timedOut)
        #expect(systemError { _ = try right.receive(until: .now) }?.errno == .timedOut)
    }

    @Test func aFullBufferIsToldWhenNobodyWantsToWait() throws {
        try left.setNonBlocking(true)
        var sent = 0
        let error = systemError {
            while true {
                try left.send([UInt8](repeating: UInt8(sent & 0xFF), count: 4096))
                sent += 1
            }
        }
        #expect(error?.errno == .wouldBlock)
        for number in 0..<sent {
            #expect(try right.receive(until: soon)?.bytes.first == UInt8(number & 0xFF))
        }
    }

    @Test func shuttingDownWakesAWaitingThread() throws {
        let (socket, soon) = (right, soon)
        let outcome = Guarded<Bool?>(nil)
        let thread = try SystemThread.start(name: "receiver") {
            do {
                let ended = try socket.receive(until: soon) == nil
                outcome.with { $0 = ended }
            } catch {}
        }
        right.shutDown()
        thread.join()
        #expect(outcome.with { $0 } == true)
    }

    @Test func aListenerAtAPath() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/s"
        let listener = try MessageSocket.listen(path, mode: 0o640)
        #expect(try FileStatus(of: path).mode & 0o777 == 0o640)
        #expect(systemError { _ = try MessageSocket.listen(path) }?.errno == .addressInUse)
        let client = MessageSocket(try MessageSocket.connect(path))
        let server = MessageSocket(try MessageSocket.accept(listener.raw))
        try client.send([9])
        #expect(try server.receive(until: soon)?.bytes == [9])
        let peer = try MessageSocket.peer(of: server.raw)
        #expect(peer.pid == getpid() && peer.uid == getuid() && peer.gid == getgid())
        #expect(systemError { _ = try MessageSocket.connect(directory.path + "/none") }?.errno == .notFound)
        let long = directory.path + "/" + String(repeating: "x", count: 108)
        #expect(systemError { _ = try MessageSocket.listen(long) }?.errno == .nameTooLong)
    }

    private func drop(_ pipe: consuming Pipe) {}
}
