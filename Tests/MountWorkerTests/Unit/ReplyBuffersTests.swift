import Testing

@testable import MountWorker

@Suite struct ReplyBuffersTests {
    /// A worker has little to do with most of its mounts: it keeps the small buffer it began with.
    @Test func smallRepliesTakeTheSmallBufferAgainAndAgain() throws {
        let buffers = try ReplyBuffers(kept: 2)
        let first = try buffers.take(1)
        buffers.giveBack(first)
        let second = try buffers.take(ReplyBuffers.smallSize)
        #expect(first === second && first.bytes.count == ReplyBuffers.smallSize)
    }

    @Test func whatDoesNotFitGetsALargeOne() throws {
        let buffers = try ReplyBuffers(kept: 1)
        let large = try buffers.take(ReplyBuffers.smallSize + 1)
        #expect(large.bytes.count == ReplyBuffers.largeSize)
        buffers.giveBack(large)
        #expect(try buffers.take(ReplyBuffers.largeSize) === large)
        #expect(try buffers.take(ReplyBuffers.largeSize + 1).bytes.count == ReplyBuffers.largeSize + 1)
    }

    @Test(arguments: [ReplyBuffers.smallSize, ReplyBuffers.largeSize]) func noMoreAreKeptThanWanted(size: Int) throws {
        let buffers = try ReplyBuffers(kept: 1)
        let (one, other) = (try buffers.take(size), try buffers.take(size))
        #expect(one !== other)
        buffers.giveBack(one)
        buffers.giveBack(other)
        #expect(try buffers.take(size) === one)
        #expect(try buffers.take(size) !== other)
    }
}
