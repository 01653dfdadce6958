import Testing

@testable import Supervision

@Suite struct ProjectPoolTests {
    @Test func nobodyGetsAnIDThatAnotherHas() {
        var pool = ProjectPool()
        let ids = (0..<1000).map { _ in pool.take() }
        #expect(Set(ids).count == 1000 && ids.allSatisfy(ProjectPool.ids.contains))
    }

    @Test func whatWasGivenBackComesFirst() {
        var pool = ProjectPool()
        let first = pool.take()
        let second = pool.take()
        pool.giveBack(first)
        #expect(pool.take() == first)
        #expect(pool.take() == second + 1)
    }

    @Test func itBeginsAgainAtTheEnd() {
        var pool = ProjectPool(7..<10)
        #expect((0..<4).map { _ in pool.take() } == [7, 8, 9, 7])
    }
}
