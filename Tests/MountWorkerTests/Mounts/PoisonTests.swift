import GitObjects
import Glibc
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

extension MountTests {
    /// Requests that workers die of, as the next workers find them in the session memory.
    @Suite struct PoisonTests {
        private static func tree() throws -> FakeTree {
            try FakeTree([
                ("poison", .text("bad")), ("good", .text("good")), ("other", .text("other")),
                ("d", .folder([("poison", .text("bad")), ("good", .text("good"))])),
            ])
        }

        /// Looks `name` up on a thread of its own; its error, if any.
        /// FUSE_LOOKUP of include/uapi/linux/fuse.h.
        private static let lookUp: UInt32 = 1

        private func lookUp(_ mount: TestMount, _ name: String) throws -> Background<Errno?> {
            let root = mount.root
            return try Background { Fd.failure { _ = try Fd.status(root, name) } }
        }

        @Test(arguments: ["poison", "d/poison"]) func theRequestThatAWorkerDiedOfIsKnown(path: String) throws {
            // In `d`, whose listing is asked for meanwhile, it is the control thread that dies.
            let mount = try TestMount(try Self.tree())
            let faults = path == "poison" ? "crash:early:poison" : "crash:late:poison"
            let first = try mount.startWorker(faults: faults)
            let reader = try lookUp(mount, path)
            #expect(first.end() == .signal(SIGABRT))
            // Another one may have been answered a moment before its slot was cleared.
            let suspect = try #require(mount.memory.inFlight().values.first { $0.opcode == 1 }, "a LOOKUP").original
            mount.memory.clearInFlight()

            mount.memory.setJudged([JudgedRequest(unique: suspect.unique, treatment: .alone)])
            let second = try TestWorker(faults: faults)
            // It may end before it has said that it serves.
            try? mount.assume(second)
            #expect(second.end() == .signal(SIGABRT))
            #expect(mount.memory.inFlight().values.map(\.original) == [suspect], "the same request")
            #expect(!reader.isDone)
            mount.memory.clearInFlight()

            mount.memory.setJudged([JudgedRequest(unique: suspect.unique, treatment: .refuse)])
            try mount.startWorker(faults: faults)
            #expect(reader.join() == .some(.ioError))
            #expect(mount.memory.value(.refused) == 1)
            #expect(mount.memory.value(.resent) >= 2)
            #expect(try Fd.contents(mount.root, "good") == Array("good".utf8))
        }

        /// Otherwise a new request that kills workers would have the earlier one, which is harmless, refused for it.
        @Test func nothingElseIsWorkedOnBesideASuspect() throws {
            let mount = try TestMount(try Self.tree())
            let first = try mount.startWorker(faults: "hang:early:good")
            let good = try lookUp(mount, "good")
            let limit = Deadline.after(.seconds(20))
            func hanging() -> [InFlightRequest] { mount.memory.inFlight().values.filter { $0.opcode == Self.lookUp } }
            while hanging().isEmpty, !limit.hasPassed { sched_yield() }
            first.kill()
            let suspect = try #require(hanging().first).original
            mount.memory.clearInFlight()

            mount.memory.setJudged([JudgedRequest(unique: suspect.unique, treatment: .alone)])
            let second = try mount.startWorker(faults: "hang:early:good,crash:early:poison")
            while hanging().isEmpty, !limit.hasPassed { sched_yield() }
            let turns = mount.memory.value(.readerTurns)
            let poison = try lookUp(mount, "poison")
            while mount.memory.value(.readerTurns) == turns, !limit.hasPassed { sched_yield() }
            #expect(!second.process.waitForEnd(until: .after(.milliseconds(200))), "it waits for the suspect")
            #expect(mount.memory.inFlight().values.map(\.original) == [suspect])
            second.kill()
            mount.memory.clearInFlight()

            try mount.startWorker()
            #expect(good.join() == .some(nil) && poison.join() == .some(nil))
        }

        @Test func anInnocentRequestThatWasInFlightBesideIsAnswered() throws {
            let mount = try TestMount(try Self.tree())
            // Both readers are in a request when the worker ends.
            let worker = try mount.startWorker(faults: "hang:early:poison,hang:early:good")
            let poison = try lookUp(mount, "poison")
            let good = try lookUp(mount, "good")
            let limit = Deadline.after(.seconds(20))
            // Whatever else the kernel asks for does not stay there.
            func hanging() -> [InFlightRequest] { mount.memory.inFlight().values.filter { $0.opcode == Self.lookUp } }
            while hanging().count < 2, !limit.hasPassed { sched_yield() }
            worker.kill()
            let suspects = hanging().map(\.original)
            mount.memory.clearInFlight()
            mount.memory.setJudged(suspects.map { JudgedRequest(unique: $0.unique, treatment: .alone) })
            let second = try TestWorker(faults: "crash:early:poison")
            try? mount.assume(second)
            #expect(second.end() == .signal(SIGABRT))
            let again = mount.memory.inFlight().values.map(\.original)
            #expect(again.count == 1 && suspects.contains(again[0]), "judged requests are worked on one at a time")
            mount.memory.clearInFlight()
            mount.memory.setJudged([JudgedRequest(unique: again[0].unique, treatment: .refuse)])
            try mount.startWorker()
            #expect(poison.join() == .some(.ioError))
            #expect(good.join() == .some(nil))
        }

        @Test func aRequestThatWasInterruptedIsNotMissed() throws {
            let mount = try TestMount(try Self.tree())
            let worker = try mount.startWorker()
            worker.kill()
            // Judged, but the kernel has no such request any more.
            mount.memory.setJudged([JudgedRequest(unique: 4242, treatment: .refuse)])
            try mount.startWorker()
            #expect(try Fd.contents(mount.root, "other") == Array("other".utf8))
            #expect(mount.memory.value(.refused) == 0)
        }

        @Test func faultsAreReadStrictly() {
            #expect(Faults("crash:early:x,hang:late:y:z") != nil)
            #expect(Faults("explode:early:x") == nil)
            #expect(Faults("crash:x") == nil)
        }
    }
}
