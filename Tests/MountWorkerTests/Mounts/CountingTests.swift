import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

extension MountTests {
    /// What workers count in the session memory.
    @Suite struct CountingTests {
        private static func tree() throws -> FakeTree {
            try FakeTree([
                ("file", .text("contents")), ("slow", .text("slow one")),
                ("dir", .folder([("in", .text("inside")), ("other", .text("another"))])),
            ])
        }

        /// An answer may arrive before it is counted.
        private func wait(_ what: () throws -> Bool) rethrows {
            let limit = Deadline.after(.seconds(20))
            while try !what(), !limit.hasPassed { sched_yield() }
            #expect(try what())
        }

        @Test func requestsAreCountedByWhatTheyWant() throws {
            let mount = try TestMount(try Self.tree())
            try mount.startWorker()
            let before = mount.memory.counts
            #expect(try Fd.contents(mount.root, "file") == Array("contents".utf8))
            #expect(try Fd.list(mount.root, "dir").count == 2)
            wait { mount.memory.counts[.read].count == 1 }
            wait { mount.memory.counts[.lookup].count >= before[.lookup].count + 2 }
            wait { mount.memory.counts[.list].count + mount.memory.counts[.listWithAttributes].count >= 1 }
            // OPEN, which the table of callbacks answers.
            wait { mount.memory.counts[.other].count >= before[.other].count + 1 }
            let counts = mount.memory.counts
            #expect(counts[.readLink].count == 0)
            // What the kernel has it does not ask for.
            #expect(try Fd.contents(mount.root, "file") == Array("contents".utf8))
            #expect(mount.memory.counts[.read].count == 1)
            #expect(counts.failures.allSatisfy { $0 == 0 })
            for kind in RequestKind.allCases where counts[kind].count > 0 { #expect(counts[kind].sum > 0) }
        }

        @Test func aRequestThatWaitsCountsForAllItsTime() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let worker = try mount.startWorker()
            let root = mount.root
            let id = tree.ids["slow"]!
            wait { mount.memory.oldestRequest == nil }
            let begin = Deadline.now
            mount.owner.hold(id)
            let reader = try Background { try? Fd.contents(root, "slow") }
            try mount.owner.wait { mount.owner.count(id) == 1 }
            // Nothing else is on its way.
            try wait { try worker.status().waiting == 1 && mount.memory.inFlight().isEmpty }
            let asked = Deadline.now
            let oldest = try #require(mount.memory.oldestRequest)
            #expect(oldest >= begin.nanoseconds && oldest <= asked.nanoseconds)
            let limit = asked.advanced(by: .milliseconds(40))
            // Requests that come and go meanwhile are younger.
            while !limit.hasPassed {
                _ = Fd.failure { _ = try Fd.status(root, "none") }
                #expect(mount.memory.oldestRequest == oldest)
            }
            mount.owner.release(id)
            #expect(reader.join() == .some(Array("slow one".utf8)))
            wait { mount.memory.oldestRequest == nil }
            wait { mount.memory.counts[.read].count == 1 }
            let times = mount.memory.counts[.read]
            #expect(times.sum >= 40_000_000)
            let below = SessionStatistics.bounds.firstIndex { $0 >= 40_000_000 }!
            #expect(times.buckets[..<below].allSatisfy { $0 == 0 })
        }

        @Test func theAgeGoesOnThroughATakeover() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let first = try mount.startWorker()
            let root = mount.root
            let id = tree.ids["slow"]!
            mount.owner.hold(id)
            let reader = try Background { try? Fd.contents(root, "slow") }
            try mount.owner.wait { mount.owner.count(id) == 1 }
            try wait { try first.status().waiting == 1 && mount.memory.inFlight().isEmpty }
            let oldest = try #require(mount.memory.oldestRequest)
            // While no worker reads, a process that is started cannot close what it inherits from the reader.
            let spare = try TestWorker()
            // Stopped it says nothing, and the age is known all the same.
            first.process.signal(SIGSTOP)
            #expect(mount.memory.oldestRequest == oldest)
            first.kill()
            mount.memory.clearInFlight()
            #expect(mount.memory.oldestRequest == oldest)
            try mount.assume(spare)
            wait { mount.owner.count(id) == 2 }
            wait { mount.memory.oldestRequest == oldest }
            mount.owner.release(id)
            #expect(reader.join() == .some(Array("slow one".utf8)))
            wait { mount.memory.counts[.read].count == 1 }
            #expect(mount.memory.oldestRequest == nil)
        }

        @Test func theWorkerOfARequestThatHungIsNotItsBeginning() throws {
            let mount = try TestMount(try Self.tree())
            let first = try mount.startWorker(faults: "hang:early:file")
            let second = try TestWorker(faults: "hang:early:file")
            let root = mount.root
            let reader = try Background { Fd.failure { _ = try Fd.status(root, "file") } }
            func hangs() -> Bool { mount.memory.inFlight().values.map(\.opcode) == [1] }
            wait { hangs() && hangs() }
            let oldest = try #require(mount.memory.oldestRequest)
            first.kill()
            mount.memory.clearInFlight()
            // One that hangs in it, too.
            try mount.assume(second)
            wait { hangs() }
            #expect(mount.memory.oldestRequest == oldest)
            mount.unmount()
            try mount.abort()
            _ = reader.join()
        }

        @Test func errorsAreCountedByCause() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree, timeout: .milliseconds(200))
            let worker = try mount.startWorker()
            let expected: [(CacheError.Code, FailureCause)] = [
                (.unreachable, .origin), (.unauthorized, .origin), (.notFound, .missing), (.corrupt, .damaged),
                (.refused, .refused), (.storage, .storage), (.noSpace, .noSpace), (.overloaded, .overloaded),
                (.invalidRequest, .protocolError), (.internalFailure, .internalFailure), (.timedOut, .deadline),
            ]
            for (code, cause) in expected {
                let before = mount.memory.counts[cause]
                mount.owner.fail(tree.ids["dir"]!, code)
                #expect(Fd.failure { _ = try Fd.status(mount.root, "dir/in") } != nil)
                #expect(mount.memory.counts[cause] > before, "\(code)")
            }
            mount.owner.fail(tree.ids["dir"]!, nil)
            // Nobody answers.
            let before = mount.memory.counts[.deadline]
            mount.owner.hold(tree.ids["slow"]!)
            #expect(Fd.failure { _ = try Fd.contents(mount.root, "slow") } == .timedOut)
            #expect(mount.memory.counts[.deadline] > before)
            let counts = mount.memory.counts
            #expect(counts.failures.reduce(0, +) == mount.memory.value(.failures))
            #expect(try worker.status().failures == mount.memory.value(.failures))
        }

        @Test func aRefusedRequestIsPoison() throws {
            let mount = try TestMount(try Self.tree())
            let first = try mount.startWorker(faults: "crash:early:file")
            let root = mount.root
            let reader = try Background { Fd.failure { _ = try Fd.status(root, "file") } }
            #expect(first.end() == .signal(SIGABRT))
            let suspect = try #require(mount.memory.inFlight().values.first { $0.opcode == 1 }).original
            mount.memory.clearInFlight()
            mount.memory.setJudged([JudgedRequest(unique: suspect.unique, treatment: .refuse)])
            try mount.startWorker()
            #expect(reader.join() == .some(.ioError))
            #expect(mount.memory.counts[.poison] == 1)
        }

        @Test(
            .enabled(if: TestWorker.earlierProgram != nil, "ANTARES_EARLIER_WORKER names no worker of another build"),
            arguments: [true, false])
        func workersOfOtherBuildsTakeOverFromEachOther(earlierFirst: Bool) throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            let programs = [TestWorker.earlierProgram, nil]
            let order = earlierFirst ? programs + programs : programs.reversed() + programs.reversed()
            let workers = try order.map { try TestWorker(program: $0) }
            let root = mount.root
            let id = tree.ids["slow"]!
            mount.owner.hold(id)
            try mount.assume(workers[0])
            #expect(try Fd.status(root, "dir/in").st_size == 6)
            let reader = try Background { try? Fd.contents(root, "slow") }
            for (index, worker) in workers.enumerated() {
                if index > 0 { try mount.assume(worker) }
                wait { mount.owner.count(id) == index + 1 }
                #expect(try Fd.status(root, "dir/other").st_size == 7)
                if order[index] == nil {
                    wait { mount.memory.oldestRequest != nil }
                    #expect(mount.memory.counts[.read].count == 0)
                }
                if index < 3 {
                    worker.kill()
                    mount.memory.clearInFlight()
                }
            }
            mount.owner.release(id)
            #expect(reader.join() == .some(Array("slow one".utf8)))
            if order[3] == nil { wait { mount.memory.counts[.read].count == 1 && mount.memory.oldestRequest == nil } }
            #expect(try workers[3].status().failures == 0)
        }

        /// Ten lines a second, and what is left out is counted.
        @Test func linesThatAreLeftOutAreCounted() throws {
            let tree = try Self.tree()
            let mount = try TestMount(tree)
            try mount.startWorker()
            mount.owner.fail(tree.ids["dir"]!, .corrupt)
            let limit = Deadline.after(.seconds(20))
            while mount.memory.value(.unlogged) == 0, !limit.hasPassed {
                #expect(Fd.failure { _ = try Fd.status(mount.root, "dir/in") } == .ioError)
            }
            #expect(mount.memory.value(.unlogged) > 0)
        }
    }
}
