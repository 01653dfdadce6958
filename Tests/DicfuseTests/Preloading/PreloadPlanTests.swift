import CacheProtocol
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite("Preload plan")
struct PreloadPlanTests {
    /// Directories by id; entries by what they are.
    private struct Forest {
        var listings: [ObjectID: PackedDirectory] = [:]
        var random = Seeded(7)

        mutating func directory(_ entries: [(String, PackedEntry)]) throws -> ObjectID {
            let id = random.id()
            let items = entries.map { DirectoryPacker.Item(name: Array($0.0.utf8), entry: $0.1) }
            listings[id] = try PackedDirectory(DirectoryPacker.pack(items))
            return id
        }

        mutating func file(_ size: UInt64, _ flags: PackedEntry.Flags = []) -> PackedEntry {
            PackedEntry(mode: .regular, flags: flags, id: random.id(), size: size)
        }
    }

    private static func below(_ id: ObjectID) -> PackedEntry {
        PackedEntry(mode: .directory, id: id, size: 0)
    }

    /// Answers everything; what was asked for, in order. `answer` may decide otherwise: then it returns true.
    private func carryOut(
        _ plan: inout PreloadPlan, _ forest: Forest,
        _ answer: (inout PreloadPlan, PreloadPlan.Question) -> Bool = { _, _ in false }
    ) -> [PreloadPlan.Question] {
        var asked: [PreloadPlan.Question] = []
        for _ in 0..<10_000 {
            switch plan.next() {
            case .ask(let question):
                asked.append(question)
                if answer(&plan, question) { continue }
                switch question {
                case .directory(let id, let depth): plan.listed(id, depth: depth, forest.listings[id] ?? .empty)
                case .entry: plan.sized(question, 100)
                case .blob: plan.fetched(question)
                }
            case .open(let id):
                let listing = forest.listings[id] ?? .empty
                plan.contents(
                    here: .init(), missing: listing.items.filter { $0.entry.mode.hasBlob }.map { ($0.entry.id, 1) })
            case .settle: plan.treeIsStored(true)
            case .wait: Issue.record("nothing is under way")
            case .done: return asked
            }
        }
        Issue.record("no end")
        return asked
    }

    @Test("Each directory is asked for once, however often and wherever it is named; the total is known at the end")
    func once() throws {
        var forest = Forest()
        let shared = try forest.directory([("f", forest.file(10))])
        let middle = try forest.directory([("s", Self.below(shared)), ("g", forest.file(20))])
        let root = try forest.directory([
            ("a", Self.below(middle)), ("b", Self.below(shared)), ("c", Self.below(middle)),
            ("l", PackedEntry(mode: .symlink, id: forest.random.id(), size: 3)),
            ("m", PackedEntry(mode: .submodule, id: forest.random.id(), size: 0)),
        ])
        var plan = PreloadPlan(root: root, depth: nil, withContents: false)
        let asked = carryOut(&plan, forest)
        #expect(asked.count == 3)
        #expect(plan.tally.directories == .init(done: 3, total: 3))
        #expect(plan.tally.contents == .init(done: 0, total: 3))
        #expect(plan.tally.bytes.total == 33)
        #expect(Set(plan.order) == [root, middle, shared])
        #expect(plan.phase == .ended && plan.isSound)
    }

    @Test("A limit of depth holds by the shortest way", arguments: [0, 1, 2, 3])
    func depth(_ limit: Int) throws {
        var forest = Forest()
        let deepest = try forest.directory([("f", forest.file(1))])
        let deep = try forest.directory([("d", Self.below(deepest)), ("f", forest.file(1))])
        let long = try forest.directory([("x", Self.below(deep))])
        // Found through `long` first, a level lower than it is.
        let root = try forest.directory([("a", Self.below(deep)), ("z", Self.below(long))])
        var plan = PreloadPlan(root: root, depth: limit, withContents: false)
        _ = carryOut(&plan, forest)
        let reachable: [Set<ObjectID>] = [[root], [root, long, deep], [root, long, deep, deepest]]
        #expect(Set(plan.order) == reachable[min(limit, 2)])
        #expect(plan.order.count == reachable[min(limit, 2)].count)
        #expect(plan.tally.directories.done == plan.tally.directories.total)
        #expect(plan.tally.contents.total == UInt64([0, 1, 2, 2][limit]))
    }

    @Test("What a listing leaves open is asked for before the tree counts as complete")
    func entries() throws {
        var forest = Forest()
        let open = [forest.file(0, .sizeUnknown), forest.file(0, [.sizeUnknown, .modeUnknown])]
        let root = try forest.directory([("a", open[0]), ("b", open[1]), ("c", forest.file(5))])
        var plan = PreloadPlan(root: root, depth: nil, withContents: false)
        var settledAfter = 0
        let asked = carryOut(&plan, forest) { plan, _ in
            settledAfter += plan.phase == .tree ? 1 : 0
            return false
        }
        #expect(settledAfter == 3)
        #expect(
            Set(asked.dropFirst()) == [
                .entry(open[0].id, directory: root, index: 0, mode: false),
                .entry(open[1].id, directory: root, index: 1, mode: true),
            ])
        #expect(plan.tally.bytes.total == 205 && plan.tally.entries == .init(done: 2, total: 2))
    }

    @Test("Contents are asked for after the tree, a blob once; what fails is counted and does not stop the rest")
    func contents() throws {
        var forest = Forest()
        let twice = forest.file(1)
        let lost = forest.file(1)
        let a = try forest.directory([("x", twice), ("y", twice)])
        let root = try forest.directory([("a", Self.below(a)), ("l", lost), ("z", twice)])
        var plan = PreloadPlan(root: root, depth: nil, withContents: true)
        var failures = 0
        let asked = carryOut(&plan, forest) { plan, question in
            guard case .blob(lost.id, _) = question else { return false }
            failures += 1
            if failures < 3 { plan.putBack(question) } else { plan.failed(question) }
            return true
        }
        #expect(failures == 3)
        #expect(plan.tally.failed == 1 && !plan.isSound && plan.phase == .ended)
        #expect(plan.tally.contents.total == 4 && plan.tally.contents.done == 3)
        guard case .blob = asked.last else {
            Issue.record("\(asked)")
            return
        }
    }

    @Test("A tree that did not reach the index is walked again")
    func notStored() throws {
        var forest = Forest()
        let root = try forest.directory([("f", forest.file(5))])
        var plan = PreloadPlan(root: root, depth: nil, withContents: false)
        let first = plan.next()
        #expect(first == .ask(.directory(root, depth: 0)))
        plan.listed(root, depth: 0, try #require(forest.listings[root]))
        let second = plan.next()
        #expect(second == .settle)
        plan.treeIsStored(false)
        #expect(carryOut(&plan, forest) == [.directory(root, depth: 0)])
        #expect(plan.tally.directories == .init(done: 1, total: 1))
    }

    @Test("Only so many questions are under way, and an answer makes room")
    func window() throws {
        var forest = Forest()
        var entries: [(String, PackedEntry)] = []
        for index in 0..<(PreloadPlan.window + 5) { entries.append(("d\(index)", Self.below(forest.random.id()))) }
        let root = try forest.directory(entries)
        var plan = PreloadPlan(root: root, depth: nil, withContents: false)
        var asked: [PreloadPlan.Question] = []
        while case .ask(let question) = plan.next() {
            if asked.isEmpty { plan.listed(root, depth: 0, try #require(forest.listings[root])) }
            asked.append(question)
        }
        #expect(asked.count == PreloadPlan.window + 1 && plan.underWay == PreloadPlan.window)
        plan.failed(asked[5])
        guard case .ask = plan.next() else {
            Issue.record("no room")
            return
        }
        let last = plan.next()
        #expect(last == .wait)
    }
}

@Suite("Preload pace")
struct PreloadPaceTests {
    private static let start = Deadline(nanoseconds: 1_000_000_000_000)

    @Test("What was received is paid for before the next begins: the average is the rate, after a pause as well")
    func rate() {
        var limit = RateLimit(1_000_000)
        var now = Self.start
        var received: UInt64 = 0
        for size: UInt64 in [500_000, 10, 2_000_000, 100_000, 300_000] {
            now = max(now, limit.begin(now: now))
            limit.charge(size, since: now)
            received += size
        }
        now = max(now, limit.begin(now: now))
        let elapsed = Double(now.since(Self.start).nanoseconds) / 1e9
        #expect(Double(received) / elapsed < 1_000_000 * 1.1)
        // A pause is not saved up.
        now = now.advanced(by: .seconds(60))
        limit.charge(1_000_000, since: now)
        #expect(limit.begin(now: now) > now.advanced(by: .milliseconds(900)))
    }

    @Test("Without a limit nobody waits")
    func unlimited() {
        var limit = RateLimit(0)
        limit.charge(.max, since: Self.start)
        #expect(limit.begin(now: Self.start) == Self.start)
    }

    @Test("The time left follows the rate, and is not known while nothing moves")
    func timeLeft() {
        var rate = ProgressRate()
        #expect(rate.secondsLeft(0, of: 10) == nil)
        #expect(rate.secondsLeft(10, of: 10) == 0)
        for second in 0..<60 {
            rate.note(UInt64(second) * 1000, now: Self.start.advanced(by: .seconds(second)))
        }
        #expect(abs(rate.rate - 1000) < 1)
        #expect(rate.secondsLeft(59_000, of: 69_000) == 10)
    }
}
