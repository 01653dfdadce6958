import Glibc
import LinuxSystem
import Testing

@Suite struct GuardedTests {
    @Test func threadsTakeTurns() throws {
        let count = Guarded(0)
        let threads = try (0..<4).map { _ in
            try SystemThread.start(name: "counter") {
                for _ in 0..<20_000 { count.with { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(count.with { $0 } == 80_000)
    }

    @Test func aThrowingBodyLetsGo() {
        struct Refused: Error {}
        let value = Guarded(1)
        #expect(throws: Refused.self) { try value.with { (_) throws(Refused) in throw Refused() } }
        #expect(value.with { $0 } == 1)
    }
}

@Suite struct SystemThreadTests {
    @Test func aThreadHasItsNameAndEnds() throws {
        let name = Guarded("")
        let thread = try SystemThread.start(name: "a name that is longer than fifteen") {
            let own = (try? File.text("/proc/thread-self/comm")) ?? ""
            name.with { $0 = own }
        }
        thread.join()
        #expect(name.with { $0 } == "a name that is \n")
    }

    @Test func whatTheBodyHeldIsReleased() throws {
        let pipe = try Pipe()
        let reading = try pipe.read.duplicate()
        var held: SharedFD? = SharedFD(pipe.takeWrite())
        let thread = try SystemThread.start(name: "holder") { [held] in _ = held?.raw }
        held = nil
        thread.join()
        #expect(held == nil && isAtEnd(reading.raw))
    }

    @Test func tooManyThreadsAreAnError() {
        // A stack larger than the address space stands for every reason that pthread_create has to fail.
        #expect(throws: SystemError.self) { try SystemThread.start(name: "x", stackSize: 1 << 60) {} }
    }
}

@Suite struct BlockingThreadsTests {
    private struct Refused: Error, Equatable {
        let number: Int
    }

    @Test(.timeLimit(.minutes(1))) func resultsAndErrorsComeBack() async throws {
        let threads = try BlockingThreads(count: 2, name: "test")
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    do throws(Refused) {
                        let result = try await threads.run { () throws(Refused) in
                            if number % 3 == 0 { throw Refused(number: number) }
                            return number * 2
                        }
                        #expect(result == number * 2)
                    } catch {
                        #expect(error == Refused(number: number) && number % 3 == 0)
                    }
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func allThreadsWorkAtOnce() async throws {
        // Each of the four jobs ends only when all four have begun.
        let threads = try BlockingThreads(count: 4, name: "test")
        let begun = Guarded(0)
        let gate = try EventCounter(semaphore: true)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    await threads.run {
                        let isLast = begun.with { count in
                            count += 1
                            return count == 4
                        }
                        if isLast { gate.add(4) }
                        gate.wait()
                    }
                }
            }
        }
        #expect(begun.with { $0 } == 4)
    }

    @Test(.timeLimit(.minutes(1))) func queuedJobsAreDoneBeforeTheThreadsEnd() async throws {
        let done = try EventCounter(semaphore: true)
        do {
            let threads = try BlockingThreads(count: 1, name: "test")
            for _ in 0..<100 { threads.submit { done.add(1) } }
        }
        for _ in 0..<100 { done.wait() }
    }

    @Test(.timeLimit(.minutes(1))) func aJobThatIsDoneHoldsNothing() async throws {
        let threads = try BlockingThreads(count: 1, name: "test")
        let pipe = try Pipe()
        let reading = try pipe.read.duplicate()
        var held: SharedFD? = SharedFD(pipe.takeWrite())
        let (passed, gate) = (try EventCounter(semaphore: true), try EventCounter(semaphore: true))
        threads.submit { [held] in _ = held?.raw }
        held = nil
        for _ in 0..<200 { threads.submit {} }
        // The queue is not empty here: this job waits, and one is behind it.
        threads.submit {
            passed.add(1)
            gate.wait()
        }
        threads.submit {}
        passed.wait()
        #expect(held == nil && isAtEnd(reading.raw))
        gate.add(1)
        await threads.run {}
    }
}
