import Testing

@testable import Supervision

@Suite struct OOMScoreTests {
    @Test func aChildGoesBeforeItsSupervisor() {
        #expect(OOMScore.raised(to: OOMScore.worker, from: -900) == 0)
        #expect(OOMScore.raised(to: OOMScore.owner, from: -900) == -500)
        // What would have to be lowered stays.
        #expect(OOMScore.raised(to: OOMScore.worker, from: 0) == nil)
        #expect(OOMScore.raised(to: OOMScore.owner, from: 0) == nil)
        #expect(OOMScore.raised(to: OOMScore.worker, from: 300) == nil)
    }
}
