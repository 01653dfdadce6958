import Glibc
import LinuxSystem
import Testing

@Suite struct EpollTests {
    private var soon: Deadline { .after(.seconds(20)) }

    @Test func theTokenComesBack() throws {
        let epoll = try Epoll()
        let counter = try EventCounter()
        try epoll.add(counter.raw, .readable, token: .max)
        #expect(try epoll.wait(until: .now).isEmpty)
        counter.add(3)
        let events = try epoll.wait(until: soon)
        #expect(events.count == 1 && events[0].token == .max && events[0].events.contains(.readable))
        counter.clear()
        #expect(try epoll.wait(until: .now).isEmpty)
    }

    @Test func oneShotIsSilentUntilChanged() throws {
        let epoll = try Epoll()
        let counter = try EventCounter()
        counter.add()
        try epoll.add(counter.raw, [.readable, .oneShot], token: 1)
        #expect(try epoll.wait(until: soon).count == 1)
        #expect(try epoll.wait(until: .now).isEmpty)
        try epoll.change(counter.raw, [.readable, .oneShot], token: 2)
        #expect(try epoll.wait(until: soon).first?.token == 2)
    }

    @Test func removedDescriptorsAreSilent() throws {
        let epoll = try Epoll()
        let counter = try EventCounter()
        counter.add()
        try epoll.add(counter.raw, .readable, token: 1)
        #expect(systemError { try epoll.add(counter.raw, .readable, token: 1) }?.errno == .exists)
        epoll.remove(counter.raw)
        #expect(try epoll.wait(until: .now).isEmpty)
        #expect(systemError { try epoll.change(counter.raw, .readable, token: 1) }?.errno == .notFound)
    }

    @Test func moreEventsThanTheLimitComeLater() throws {
        let epoll = try Epoll()
        let counters = try (0..<5).map { _ in try EventCounter() }
        for (index, counter) in counters.enumerated() {
            counter.add()
            try epoll.add(counter.raw, [.readable, .oneShot], token: UInt64(index))
        }
        var tokens: Set<UInt64> = []
        while tokens.count < 5 {
            let events = try epoll.wait(until: soon, limit: 2)
            try #require(!events.isEmpty && events.count <= 2)
            tokens.formUnion(events.map(\.token))
        }
    }

    @Test func aPeerThatWentIsTold() throws {
        let epoll = try Epoll()
        let (left, right) = try MessageSocket.pair()
        try epoll.add(left.raw, [.readable, .peerClosed], token: 1)
        right.shutDown()
        #expect(try epoll.wait(until: soon).first?.events.contains(.peerClosed) == true)
    }
}

@Suite struct SignalsTests {
    @Test func aSignalIsReadAndNotHandled() throws {
        // On a thread of its own: the signals stay blocked in the thread that asked for them.
        let seen = Guarded<[Int32?]>([])
        let thread = try SystemThread.start(name: "signals") {
            guard let signals = try? Signals([SIGUSR1, SIGUSR2]) else { return }
            let before = try? signals.next()
            pthread_kill(pthread_self(), SIGUSR2)
            pthread_kill(pthread_self(), SIGUSR1)
            let (one, two) = (try? signals.next(), try? signals.next())
            let after = try? signals.next()
            seen.with { $0 = [before ?? nil, one ?? nil, two ?? nil, after ?? nil] }
        }
        thread.join()
        #expect(seen.with { $0 } == [nil, SIGUSR1, SIGUSR2, nil])
    }
}

@Suite struct ErrorTests {
    @Test func anErrorSaysWhatItWasDoneTo() {
        let error = SystemError(.notFound, "open", "/x", detail: "more")
        #expect(error.description == "open /x: No such file or directory (more)")
        #expect(SystemError(.timedOut, "recvmsg").description == "recvmsg: Connection timed out")
    }

    @Test func aFailedCallIsChecked() throws {
        #expect(try check(Int32(0), "x") == 0)
        #expect(systemError { try check(close(-1), "close", "it") }?.description == "close it: Bad file descriptor")
    }

    @Test func anInterruptedCallIsRepeated() throws {
        var calls = 0
        let result = try retrying("x") { () -> Int in
            calls += 1
            errno = EINTR
            return calls < 3 ? -1 : 7
        }
        #expect(result == 7 && calls == 3)
    }
}
