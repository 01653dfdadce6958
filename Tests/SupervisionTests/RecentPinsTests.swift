import CacheProtocol
import GitObjects
import LinuxSystem
import Testing

@testable import Supervision

@Suite struct RecentPinsTests {
    private let start = Deadline(nanoseconds: 1_000_000_000_000)
    private let commit = ObjectID(hex: String(repeating: "c1", count: 20))!

    private func question(_ revision: String? = nil, origin: String = "main", path: String = "/") -> RecentPins.Question
    {
        RecentPins.Question(origin: origin, revision: revision ?? commit.hex, path: path)
    }

    private func snapshot(isSealed: Bool = true) -> PinnedSnapshot {
        PinnedSnapshot(
            origin: "main", commit: commit, commitTime: 7, root: ObjectID(hex: String(repeating: "ab", count: 20))!,
            assurance: .treesVerified, isSealed: isSealed)
    }

    @Test func anAnswerLivesForItsTimeAndForItsQuestionOnly() {
        var pins = RecentPins()
        pins.note(snapshot(), for: question(), at: start)
        #expect(pins.answer(to: question(), at: start) == snapshot())
        let last = start.advanced(by: RecentPins.lifetime - .nanoseconds(1))
        #expect(pins.answer(to: question(), at: last) == snapshot())
        #expect(pins.answer(to: question(), at: start.advanced(by: RecentPins.lifetime)) == nil)
        #expect(pins.answer(to: question(path: "/sub"), at: start) == nil)
        #expect(pins.answer(to: question(origin: "other"), at: start) == nil)
        #expect(pins.answer(to: question("main"), at: start) == nil)
        pins.forget()
        #expect(pins.answer(to: question(), at: start) == nil)
    }

    @Test func whatAnotherAnswerMayFollowIsNotRemembered() {
        var pins = RecentPins()
        // A branch moves, and a lazy snapshot will be sealed.
        pins.note(snapshot(), for: question("main"), at: start)
        pins.note(snapshot(isSealed: false), for: question(), at: start)
        #expect(pins.count == 0)
        // The image was taken back.
        pins.note(snapshot(), for: question(), at: start)
        pins.note(snapshot(isSealed: false), for: question(), at: start)
        #expect(pins.answer(to: question(), at: start) == nil)
    }

    @Test func thereIsALimit() {
        var pins = RecentPins()
        for number in 0..<RecentPins.limit * 2 { pins.note(snapshot(), for: question(path: "/\(number)"), at: start) }
        #expect(pins.count == RecentPins.limit)
        // What is known is renewed though there is no room, and what is over makes room.
        let later = start.advanced(by: RecentPins.lifetime / 2)
        pins.note(snapshot(), for: question(path: "/0"), at: later)
        let afterwards = start.advanced(by: RecentPins.lifetime)
        #expect(pins.answer(to: question(path: "/0"), at: afterwards) == snapshot())
        pins.note(snapshot(), for: question(path: "/new"), at: afterwards)
        #expect(pins.count == 2)
    }
}
