import CacheProtocol
import GitObjects
import LinuxSystem

/// Answers to pins of a moment ago. Of many jobs that begin together on one commit only the first asks the owner.
///
/// Remembered are pins of commits by their own names that have an image. What such a name stands for never changes; the image can be taken back, for
/// damage or for room, and who comes within `lifetime` of the owner's answer is then as one who came just before. A state machine: no clock.
struct RecentPins: Sendable {
    struct Question: Hashable, Sendable {
        let origin: String
        let revision: String
        let path: String
    }

    private struct Answer {
        let snapshot: PinnedSnapshot
        let end: Deadline
    }

    static let lifetime: Duration = .seconds(1)
    static let limit = 64

    private var answers: [Question: Answer] = [:]

    var count: Int { answers.count }

    func answer(to question: Question, at now: Deadline) -> PinnedSnapshot? {
        guard let answer = answers[question], now < answer.end else { return nil }
        return answer.snapshot
    }

    /// The owner has answered.
    mutating func note(_ snapshot: PinnedSnapshot, for question: Question, at now: Deadline) {
        guard snapshot.isSealed, snapshot.assurance == .treesVerified,
            ObjectID(hex: question.revision) == snapshot.commit
        else {
            answers[question] = nil
            return
        }
        if answers.count >= Self.limit { answers = answers.filter { now < $0.value.end } }
        guard answers.count < Self.limit || answers[question] != nil else { return }
        answers[question] = Answer(snapshot: snapshot, end: now.advanced(by: Self.lifetime))
    }

    /// Another owner knows by itself what it has.
    mutating func forget() {
        answers = [:]
    }
}
