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

    /// What a thread asks for is in /proc/PID/task/TID/sched, in nanoseconds, where the kernel has a shorter slice than the usual one at all.
    @Test func aPromptThreadAsksForShortSlices() throws {
        func slice(isPrompt: Bool) throws -> Int {
            let line = Guarded("")
            let thread = try SystemThread.start(name: "sliced", isPrompt: isPrompt) {
                let text = (try? File.text("/proc/thread-self/sched")) ?? ""
                let found = text.split(separator: "\n").first { $0.hasPrefix("se.slice") } ?? ""
                line.with { $0 = String(found) }
            }
            thread.join()
            return try #require(Int(line.with { $0.split(separator: " ").last ?? "" }))
        }
        #expect(try slice(isPrompt: true) == 100_000)
        #expect(try slice(isPrompt: false) > 100_000)
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

    @Test(.timeLimit(.minutes(1))) func aJobWakesOneThread() async throws {
        let threads = try BlockingThreads(count: 8, name: "one-of-eight")
        func pauses() throws -> Int {
            var sum = 0
            for name in try Directory.names("/proc/self/task") {
                let thread = "/proc/self/task/\(String(decoding: name, as: UTF8.self))"
                // Other tests' threads come and go.
                guard (try? File.text(thread + "/comm")) == "one-of-eight\n" else { continue }
                for line in try File.text(thread + "/status").split(separator: "\n")
                where line.hasPrefix("voluntary_ctxt_switches:") {
                    sum += try #require(Int(line.drop { !$0.isNumber }))
                }
            }
            return sum
        }
        await threads.run {}
        let before = try pauses()
        for _ in 0..<100 { await threads.run {} }
        // Seven others may have been on their way to sleep.
        #expect(try pauses() - before <= 100 + 8 + 20)
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

@Suite struct PauseTests {
    @Test(.timeLimit(.minutes(1))) func noneEndsTooEarly() async throws {
        let ended = Guarded<[Int]>([])
        await withTaskGroup(of: Void.self) { group in
            for milliseconds in [90, 10, 50] {
                group.addTask {
                    let due = Deadline.after(.milliseconds(milliseconds))
                    try? await Pause.sleep(for: .milliseconds(milliseconds))
                    #expect(due.hasPassed)
                    ended.with { $0.append(milliseconds) }
                }
            }
        }
        #expect(ended.with { $0.sorted() } == [10, 50, 90])
    }

    @Test(.timeLimit(.minutes(1))) func aCancelledTaskIsToldAtOnce() async throws {
        let sleeper = Task { try await Pause.sleep(for: .seconds(3600)) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
        // Cancelled before it sleeps.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await Pause.sleep(for: .seconds(3600))
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
    }
}
