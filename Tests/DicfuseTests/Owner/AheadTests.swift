import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Testing
import WireFormat

@testable import Dicfuse

@Suite("What is handed over before anybody asks", .timeLimit(.minutes(2)))
struct AheadTests {
    private func ask(_ worker: Client, _ range: AheadRange) throws -> (AheadAnswer, ReceivedFDs) {
        let id = try worker.send(.ahead(range))
        var (header, payload, fds) = try worker.receive()
        guard header.id == id, case .ahead(let answer) = try WorkerReply(operation: .ahead, from: &payload) else {
            throw Client.Closed()
        }
        #expect(fds.count == answer.descriptorCount)
        return (answer, fds)
    }

    @Test("Contents that are here come with their sizes; what is not is neither waited for nor fetched")
    func contents() throws {
        let library = try Library(sizes: (0..<8).map { 100 + $0 * 9000 })
        let owner = try library.world.owner()
        let root = try library.root(owner.control)
        let worker = try owner.worker()
        let top = try worker.directory(root)
        let directory = try worker.directory(top[0].id)
        let range = AheadRange(directory: top[0].id, wanted: .contents, first: 2, count: 4)
        owner.settle()
        let requests = library.world.origin.total
        #expect(try ask(worker, range).0 == AheadAnswer(directory: top[0].id, wanted: .contents, next: 6, items: []))
        #expect(library.world.origin.total == requests)

        #expect(try library.wrong(worker, root) == [])
        owner.settle()
        let (answer, fds) = try ask(worker, range)
        #expect(answer.next == 6 && answer.items.map(\.index) == [2, 3, 4, 5])
        for (position, item) in answer.items.enumerated() {
            guard let file = fds.take(position) else { throw Client.Closed() }
            #expect(item.content == .file(size: directory[item.index].size))
            let name = String(decoding: directory.name(at: item.index), as: UTF8.self)
            #expect(try File.contents(of: file.raw) == library.files["d0/" + name])
            #expect(write(file.raw, "x", 1) == -1, "it can only be read")
        }
        #expect(owner.counter(.givenAhead) == 4)
        // To the end.
        let rest = try ask(worker, AheadRange(directory: top[0].id, wanted: .contents, first: 6, count: 32)).0
        #expect(rest.next == nil && rest.items.map(\.index) == [6, 7])
        #expect(try ask(worker, AheadRange(directory: top[0].id, wanted: .contents, first: 99, count: 1)).0.next == nil)
        #expect(
            try ask(worker, AheadRange(directory: .emptyBlobSHA1, wanted: .contents, first: 0, count: 1)).0.items == [])
    }

    @Test("A damaged object is left out, and found out by who needs it")
    func damaged() throws {
        let library = try Library(sizes: [Int](repeating: 5000, count: 4))
        let owner = try library.world.owner()
        let root = try library.root(owner.control)
        let worker = try owner.worker()
        #expect(try library.wrong(worker, root) == [])
        owner.settle()
        let directory = try worker.directory(root)[0].id
        let listing = try worker.directory(directory)
        #expect(truncate(library.object(listing[1].id), 100) == 0)
        let range = AheadRange(directory: directory, wanted: .contents, first: 0, count: 4)
        #expect(try ask(worker, range).0.items.map(\.index) == [0, 2, 3])
        #expect(try library.wrong(worker, root) == [])
        owner.settle()
        #expect(owner.counter(.damagedObjects) == 1)
        #expect(try ask(worker, range).0.items.map(\.index) == [0, 1, 2, 3])
    }

    @Test("Directories that are known come as far as a message has room")
    func directories() throws {
        let library = try Library(sizes: [Int](repeating: 10, count: 8 * 40))
        let owner = try library.world.owner()
        let root = try library.root(owner.control)
        let worker = try owner.worker()
        #expect(try library.wrong(worker, root) == [])
        owner.settle()
        let top = try worker.directory(root)
        let answer = try ask(worker, AheadRange(directory: root, wanted: .directories, first: 1, count: 32)).0
        #expect(answer.next == 33 && answer.items.map(\.index) == Array(1...32))
        for item in answer.items {
            let expected = try worker.directory(top[item.index].id).withBytes { Array($0) }
            #expect(item.content == .directory(expected))
        }
    }

    @Test("A worker that does not read is given no more, and the others lose nothing")
    func whoDoesNotRead() throws {
        let library = try Library(sizes: [Int](repeating: 5000, count: 8))
        let owner = try library.world.owner()
        let root = try library.root(owner.control)
        let (worker, other) = (try owner.worker(), try owner.worker())
        #expect(try library.wrong(worker, root) == [])
        owner.settle()
        let range = AheadRange(
            directory: try worker.directory(root)[0].id, wanted: .contents, first: 0, count: AheadRange.longest)
        for _ in 0..<2000 { _ = try worker.send(.ahead(range)) }
        // The last of them has been handled when a question behind it is answered.
        let last = try worker.send(.directory(root))
        #expect(try library.wrong(other, root) == [])
        var answers = 0
        while true {
            let (header, _, _) = try worker.receive()
            if header.id == last { break }
            answers += 1
        }
        #expect(answers > 0 && answers < 500, "\(answers)")
    }
}
