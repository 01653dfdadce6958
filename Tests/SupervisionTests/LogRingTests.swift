import Testing

@testable import Supervision

@Suite struct LogRingTests {
    @Test func theLastLinesStayInOrder() {
        let ring = LogRing(capacity: 3)
        for number in 1...5 { ring.add(time: Int64(number), .info, part: .supervisor, "line \(number)", []) }
        #expect(ring.last(10).map(\.message) == ["line 3", "line 4", "line 5"])
        #expect(ring.last(2).map(\.number) == [4, 5])
    }

    @Test func aMountAndALevelCanBeChosen() {
        let ring = LogRing()
        ring.add(time: 1, .debug, part: .api, "one", [("mount", "m")])
        ring.add(time: 2, .warning, part: .api, "two", [("job", "j")])
        ring.add(time: 3, .error, part: .audit, "three", [("target", "m")])
        #expect(ring.last(10, about: "m").map(\.message) == ["one", "three"])
        #expect(ring.last(10, about: "j").map(\.message) == ["two"])
        #expect(ring.last(10, about: "m", from: .error).map(\.message) == ["three"])
    }

    @Test func longTextIsCut() {
        let ring = LogRing()
        let long = String(repeating: "x", count: 1 << 20)
        ring.add(time: 1, .info, part: .api, long, [("a", long)])
        let line = ring.last(1)[0]
        #expect(
            line.message.utf8.count <= LogRing.maximumText && line.fields[0].value.utf8.count <= LogRing.maximumText)
    }
}
