import CacheProtocol
import GitObjects
import LinuxSystem
import Testing

@testable import MountWorker

/// What the filesystem asks for before a job does, and what it takes of what comes.
@Suite struct LowerAheadTests {
    private func files(_ count: Int) -> [(String, FakeItem)] {
        (0..<count).map { (String(1000 + $0), .text("contents of \($0)")) }
    }

    private func read(_ fixture: inout LowerTests.Fixture, _ name: String) throws -> AheadRange? {
        let node = try fixture.node(name)
        _ = fixture.lower.takeAhead()
        guard case .data = try fixture.run(.read(offset: 0, count: 4096), node) else {
            throw SystemError(.protocolError, "no data")
        }
        return fixture.lower.takeAhead()
    }

    private func supply(_ range: AheadRange, _ fixture: inout LowerTests.Fixture, size: UInt64? = nil) throws {
        let directory = try PackedDirectory(try #require(fixture.tree.directories[range.directory]))
        let end = min(range.first + range.count, directory.count)
        let items = try (range.first..<end).map { index -> (index: Int, content: AheadSupply.Content) in
            let file = SharedFD(
                try SharedMemory.sealedFile(name: "ahead", UnsafeRawBufferPointer(start: nil, count: 0)))
            return (index, .blob(.file(file, size: size ?? directory[index].size)))
        }
        fixture.lower.supply(
            ahead: AheadSupply(
                directory: range.directory, wanted: range.wanted, next: end < directory.count ? end : nil, items: items)
        )
    }

    @Test func whatCameAheadIsNotAskedForAgain() throws {
        var fixture = try LowerTests.Fixture(files(40))
        #expect(try read(&fixture, "1000") == nil)
        let range = try #require(try read(&fixture, "1001"))
        #expect(range == AheadRange(directory: fixture.tree.root, wanted: .contents, first: 2, count: 4))
        try supply(range, &fixture)
        fixture.asked = []
        for name in ["1002", "1003", "1004", "1005"] {
            if let next = try read(&fixture, name) { try supply(next, &fixture) }
        }
        #expect(fixture.asked.isEmpty)
        let counts = fixture.lower.takeAheadCounts()
        #expect(counts.used == 4 && counts.brought > 4)
        #expect(fixture.lower.takeAheadCounts() == AheadCounts(), "each is counted once")
    }

    @Test func aFileOfAnotherSizeIsNotTaken() throws {
        var fixture = try LowerTests.Fixture(files(8))
        _ = try read(&fixture, "1000")
        try supply(try #require(try read(&fixture, "1001")), &fixture, size: 1)
        fixture.asked = []
        _ = try read(&fixture, "1002")
        #expect(fixture.asked == [.blob(try #require(fixture.tree.ids["1002"]), size: 13)])
        #expect(fixture.lower.takeAheadCounts().brought == 0)
    }

    @Test func whatIsKnownOrUnknownIsLeftOut() throws {
        var fixture = try LowerTests.Fixture(files(4))
        for name in ["1000", "1001", "1002"] { _ = try read(&fixture, name) }
        // 1002 is here; there is no entry 9; nobody knows the other directory.
        for directory in [fixture.tree.root, .emptyTreeSHA1] {
            fixture.lower.supply(
                ahead: AheadSupply(
                    directory: directory, wanted: .contents, next: nil,
                    items: [2, 9].map { ($0, .blob(.bytes(Array("contents of 2".utf8)))) }))
        }
        #expect(fixture.lower.takeAheadCounts().brought == 0)
    }

    @Test func aWalkIsGivenItsNextDirectories() throws {
        var fixture = try LowerTests.Fixture(
            (0..<20).map { (String(1000 + $0), .folder([("file", .text("x"))])) })
        var asked: [AheadRange] = []
        for number in 1000..<1020 {
            let node = try fixture.node(String(number))
            _ = fixture.lower.takeAhead()
            _ = try fixture.run(.list(offset: 0, count: 4096, attributes: true), node)
            guard let range = fixture.lower.takeAhead() else { continue }
            asked.append(range)
            let directory = try PackedDirectory(try #require(fixture.tree.directories[range.directory]))
            let end = min(range.first + range.count, directory.count)
            let items = try (range.first..<end).map { index -> (index: Int, content: AheadSupply.Content) in
                (index, .directory(try PackedDirectory(fixture.tree.directories[directory[index].id] ?? [])))
            }
            fixture.lower.supply(
                ahead: AheadSupply(
                    directory: range.directory, wanted: .directories, next: end < directory.count ? end : nil,
                    items: items))
        }
        #expect(asked.map(\.wanted).allSatisfy { $0 == .directories })
        #expect(asked.first?.first == 2)
        let questions = fixture.asked.count { if case .directory = $0 { true } else { false } }
        #expect(questions == 3, "the root, and two before the order was seen: \(fixture.asked)")
    }
}
