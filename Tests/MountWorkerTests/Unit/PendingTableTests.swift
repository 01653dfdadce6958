import LinuxSystem
import Testing

@testable import MountWorker

@Suite struct PendingTableTests {
    private let blob = Dependency.blob(FakeTree.id(1), size: 10)
    private let directory = Dependency.directory(FakeTree.id(2))

    private func at(_ time: UInt64) -> Deadline { Deadline(nanoseconds: time) }

    @discardableResult
    private func park(
        _ table: inout PendingTable<String>, _ name: String, on dependency: Dependency, until deadline: UInt64 = 100
    ) -> (ticket: UInt64, question: PendingTable<String>.Question?) {
        let ticket = table.arm()
        if case .ask(let question) = table.park(ticket, name, on: dependency, until: at(deadline), since: at(1)) {
            return (ticket, question)
        }
        return (ticket, nil)
    }

    @Test func asksOnceForEachDependency() throws {
        var table = PendingTable<String>()
        let asked = park(&table, "a", on: blob).question
        let question = try #require(asked)
        #expect(question.deadline == at(100))
        #expect(park(&table, "b", on: blob).question == nil)
        let askedOther = park(&table, "c", on: directory).question
        let other = try #require(askedOther)
        #expect(table.count == 3)
        #expect(table.questions == [question, other])
        let result = table.complete(question.id)
        let completed = try #require(result)
        #expect(completed.waiters.map(\.waiter) == ["a", "b"])
        #expect(completed.question.dependency == blob)
        #expect(table.complete(question.id) == nil, "a second answer finds nobody")
        #expect(table.count == 1)
        #expect(park(&table, "d", on: blob).question != nil, "answered: asked again for the next one")
    }

    @Test func interruptionTakesOutOneWaiterAndAbandonsTheLastQuestion() throws {
        var table = PendingTable<String>()
        let (first, question) = park(&table, "a", on: blob)
        let (second, _) = park(&table, "b", on: blob)
        let one = table.interrupt(first)
        #expect(one.waiter == "a")
        #expect(one.abandoned == nil)
        let two = table.interrupt(second)
        #expect(two.waiter == "b")
        #expect(two.abandoned == question?.id)
        #expect(table.interrupt(second).waiter == nil)
        #expect(table.complete(question!.id) == nil)
        #expect(park(&table, "c", on: blob).question != nil)
    }

    @Test func interruptionWhileTriedIsNotLost() {
        var table = PendingTable<String>()
        let ticket = table.arm()
        #expect(table.interrupt(ticket).waiter == nil)
        guard case .interrupted("a") = table.park(ticket, "a", on: blob, until: at(9), since: at(1)) else {
            Issue.record("it was parked")
            return
        }
        #expect(table.count == 0)
        #expect(table.questions.isEmpty)
    }

    @Test func interruptionBetweenTwoQuestionsIsNotLost() throws {
        var table = PendingTable<String>()
        let (ticket, question) = park(&table, "a", on: directory)
        let released = table.complete(question!.id)?.waiters ?? []
        #expect(released.map(\.ticket) == [ticket])
        #expect(table.interrupt(ticket).waiter == nil)
        guard case .interrupted = table.park(ticket, "a", on: blob, until: at(9), since: at(1)) else {
            Issue.record("it was parked")
            return
        }
    }

    @Test func anAnsweredTicketIsForgotten() {
        var table = PendingTable<String>()
        let ticket = table.arm()
        table.disarm(ticket)
        #expect(table.interrupt(ticket).waiter == nil)
        guard case .ask = table.park(ticket, "a", on: blob, until: at(9), since: at(1)) else {
            Issue.record("the interruption of an answered request was kept")
            return
        }
    }

    @Test func expiresWhatIsLate() throws {
        var table = PendingTable<String>()
        let (_, question) = park(&table, "early", on: blob, until: 50)
        park(&table, "late", on: blob, until: 80)
        let (_, other) = park(&table, "alone", on: directory, until: 50)
        #expect(table.earliestDeadline == at(50))
        #expect(table.oldest == at(1))
        let expired = table.expire(at(50))
        #expect(Set(expired.waiters) == ["early", "alone"])
        #expect(expired.abandoned == [other?.id])
        #expect(table.complete(question!.id)?.waiters.map(\.waiter) == ["late"])
        #expect(table.earliestDeadline == nil)
    }

    @Test func allowanceGrowsWithTheSizeOfContents() {
        let second: UInt64 = 1_000_000_000
        let size: UInt64 = 5 << 30
        #expect(Dependency.directory(FakeTree.id(1)).allowance(timeout: second, minimumRate: 1) == .seconds(1))
        #expect(
            Dependency.blob(FakeTree.id(1), size: size).allowance(timeout: second, minimumRate: 1 << 30) == .seconds(6))
        #expect(Dependency.blob(FakeTree.id(1), size: size).allowance(timeout: second, minimumRate: 0) == .seconds(1))
        #expect(
            Dependency.blob(FakeTree.id(1), size: .max).allowance(timeout: second, minimumRate: 1)
                == .nanoseconds(Int64.max))
    }
}
