import LinuxSystem

/// Operations that wait for the cache owner, and the questions they wait for: one for each dependency.
///
/// A ticket names an operation from before it first waits until it is answered. While it is *armed* (being tried) an interruption is
/// only noted; while it is *parked* an interruption takes it out. Whoever takes a waiter out answers it, so it is answered once.
struct PendingTable<Waiter: Sendable>: Sendable {
    typealias Ticket = UInt64

    /// A question for the cache owner.
    struct Question: Hashable, Sendable {
        var id: UInt64
        var dependency: Dependency
        var deadline: Deadline
    }

    struct Released: Sendable {
        var ticket: Ticket
        var waiter: Waiter
        var deadline: Deadline
    }

    enum Parking: Sendable {
        /// Somebody asked already.
        case joined
        case ask(Question)
        /// It was interrupted while it was tried; the waiter comes back.
        case interrupted(Waiter)
    }

    private struct Parked: Sendable {
        var waiter: Waiter
        var deadline: Deadline
        var question: UInt64
        var since: Deadline
    }

    private struct Asked: Sendable {
        var question: Question
        var tickets: [Ticket]
    }

    private var nextTicket: Ticket = 1
    private var nextQuestion: UInt64 = 1
    /// Tickets being tried; true after an interruption.
    private var armed: [Ticket: Bool] = [:]
    private var parked: [Ticket: Parked] = [:]
    private var asked: [UInt64: Asked] = [:]
    private var questionOf: [Dependency: UInt64] = [:]

    /// Operations that wait.
    var count: Int {
        parked.count
    }

    /// When the one that waits longest began to.
    var oldest: Deadline? {
        parked.values.lazy.map { $0.since }.min()
    }

    var earliestDeadline: Deadline? {
        parked.values.lazy.map { $0.deadline }.min()
    }

    /// The newest question's number; numbers only grow.
    var lastQuestion: UInt64 {
        nextQuestion - 1
    }

    /// All questions without an answer, to be asked again.
    var questions: [Question] {
        asked.values.map(\.question).sorted { $0.id < $1.id }
    }

    /// A ticket for an operation that is about to be tried.
    mutating func arm() -> Ticket {
        defer { nextTicket += 1 }
        armed[nextTicket] = false
        return nextTicket
    }

    /// The operation has been answered.
    mutating func disarm(_ ticket: Ticket) {
        armed[ticket] = nil
    }

    /// Lets an armed operation wait.
    mutating func park(
        _ ticket: Ticket, _ waiter: Waiter, on dependency: Dependency, until deadline: Deadline, since start: Deadline
    ) -> Parking {
        if armed.removeValue(forKey: ticket) == true { return .interrupted(waiter) }
        if let id = questionOf[dependency], asked[id] != nil {
            asked[id]?.tickets.append(ticket)
            parked[ticket] = Parked(waiter: waiter, deadline: deadline, question: id, since: start)
            return .joined
        }
        let question = Question(id: nextQuestion, dependency: dependency, deadline: deadline)
        nextQuestion += 1
        asked[question.id] = Asked(question: question, tickets: [ticket])
        questionOf[dependency] = question.id
        parked[ticket] = Parked(waiter: waiter, deadline: deadline, question: question.id, since: start)
        return .ask(question)
    }

    /// The kernel takes a request back. The waiter, if it was parked, and the question that nobody waits for any more.
    mutating func interrupt(_ ticket: Ticket) -> (waiter: Waiter?, abandoned: UInt64?) {
        if armed[ticket] != nil {
            armed[ticket] = true
            return (nil, nil)
        }
        guard let entry = parked.removeValue(forKey: ticket) else { return (nil, nil) }
        return (entry.waiter, leave(entry.question, ticket))
    }

    /// Ends a question. The waiters are armed again, because the answer may only be the first of several they need. Nil for a question
    /// that nobody waits for any more.
    mutating func complete(_ id: UInt64) -> (question: Question, waiters: [Released])? {
        guard let entry = asked.removeValue(forKey: id) else { return nil }
        questionOf[entry.question.dependency] = nil
        let waiters = entry.tickets.compactMap { ticket -> Released? in
            guard let parked = parked.removeValue(forKey: ticket) else { return nil }
            armed[ticket] = false
            return Released(ticket: ticket, waiter: parked.waiter, deadline: parked.deadline)
        }
        return (entry.question, waiters)
    }

    /// Takes out what has waited past its deadline, and the questions that nobody waits for any more.
    mutating func expire(_ now: Deadline) -> (waiters: [Waiter], abandoned: [UInt64]) {
        var waiters: [Waiter] = []
        var abandoned: [UInt64] = []
        for (ticket, entry) in parked where entry.deadline <= now {
            parked[ticket] = nil
            waiters.append(entry.waiter)
            if let id = leave(entry.question, ticket) { abandoned.append(id) }
        }
        return (waiters, abandoned)
    }

    private mutating func leave(_ id: UInt64, _ ticket: Ticket) -> UInt64? {
        asked[id]?.tickets.removeAll { $0 == ticket }
        guard let entry = asked[id], entry.tickets.isEmpty else { return nil }
        asked[id] = nil
        questionOf[entry.question.dependency] = nil
        return id
    }
}
