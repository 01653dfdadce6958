import CacheProtocol
import GitObjects
import Testing

@testable import MountWorker

@Suite struct AheadWindowTests {
    private func directory(_ number: UInt8) -> ObjectID {
        ObjectID(kind: .sha1, bytes: [UInt8](repeating: number, count: 20))!
    }

    /// Goes through a directory of `count` files as a job does, with an owner that has them all and answers at once.
    private struct Job {
        var window = AheadWindow(.contents)
        var here: Set<Int> = []
        var waits = 0
        var given = 0

        mutating func read(_ index: Int, _ directory: ObjectID, of count: Int) {
            let cameAhead = here.contains(index)
            if !cameAhead { waits += 1 }
            let range = window.note(index, of: directory, cameAhead: cameAhead) { index > $0 ? index - $0 : nil }
            guard let range else { return }
            let end = min(range.first + range.count, count)
            let indices = range.first < end ? Array(range.first..<end) : []
            here.formUnion(indices)
            given += indices.count
            window.arrived(indices, of: directory, next: end < count ? end : nil)
        }

        mutating func change() { here = [] }
    }

    @Test func whoReadsInOrderHardlyWaits() {
        var job = Job()
        for index in 0..<1000 { job.read(index, directory(1), of: 1000) }
        #expect(job.waits == 2)
        #expect(job.given == 998)
        #expect(job.window.width == AheadRange.longest)
    }

    @Test func inEveryFurtherDirectoryItWaitsForTheFirst() {
        var job = Job()
        for index in 0..<100 { job.read(index, directory(0), of: 100) }
        job.waits = 0
        for number in UInt8(1)...100 {
            job.change()
            for index in 0..<17 { job.read(index, directory(number), of: 17) }
        }
        #expect(job.waits == 100)
    }

    @Test func whoReadsHereAndThereIsGivenNothing() {
        var job = Job()
        for step in 0..<200 { job.read((step * 37) % 101, directory(UInt8(step % 7)), of: 101) }
        #expect(job.given == 0)
    }

    @Test func whoStopsReadingInOrderIsSoonGivenNothing() {
        var job = Job()
        for index in 0..<200 { job.read(index, directory(0), of: 200) }
        job.given = 0
        // One file of each directory.
        for number in UInt8(1)...200 {
            job.change()
            job.read(3, directory(number), of: 40)
        }
        #expect(job.given <= AheadWindow.streamLimit * AheadRange.longest + 20, "\(job.given)")
        #expect(job.window.width == 0)
    }

    @Test func someLeftOutAreStillInOrder() {
        var job = Job()
        for index in stride(from: 0, to: 400, by: AheadWindow.nearby) { job.read(index, directory(1), of: 400) }
        #expect(job.waits < 5)
        job = Job()
        for index in stride(from: 0, to: 400, by: AheadWindow.nearby + 1) { job.read(index, directory(1), of: 400) }
        #expect(job.given == 0)
    }

    @Test func twoQuestionsForOneDirectoryAreNeverUnderWay() {
        var window = AheadWindow(.contents)
        var asked: [AheadRange] = []
        for index in 0..<10 {
            let range = window.note(index, of: directory(1), cameAhead: false) { index - $0 }
            if let range { asked.append(range) }
        }
        #expect(asked == [AheadRange(directory: directory(1), wanted: .contents, first: 2, count: 4)])
        // With the socket the answer is lost.
        window.forgetAsked()
        let again = window.note(10, of: directory(1), cameAhead: false) { 10 - $0 }
        #expect(again?.first == 11 && again?.count == AheadRange.longest)
    }

    @Test func whatIsNotAtHandYetIsAskedForAgain() {
        var window = AheadWindow(.contents)
        var asked: [AheadRange] = []
        for index in 0..<20 {
            let range = window.note(index, of: directory(1), cameAhead: false) { index - $0 }
            guard let range else { continue }
            asked.append(range)
            window.nothingCame(of: directory(1))
        }
        #expect(asked.map(\.first) == [2, 6, 10, 14, 18], "what follows the reader, now and then")
        #expect(asked.map(\.count) == [4, 32, 32, 32, 32])
    }

    @Test func theSameEntryAgainChangesNothing() {
        var window = AheadWindow(.contents)
        #expect(window.note(0, of: directory(1), cameAhead: false) { _ in nil } == nil)
        for _ in 0..<5 { #expect(window.note(0, of: directory(1), cameAhead: false) { _ in 0 } == nil) }
        #expect(window.width == 0)
    }
}
