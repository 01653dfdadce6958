import GitObjects
import Glibc
import LinuxSystem

/// Keeps all stores together within their limits, and makes room when the disk is full.
///
/// One thread, which sleeps until a writer has stored so much that the high watermark is passed, until something did not fit on the
/// disk, or until somebody asks. Then it looks at all records once, takes the files of the victims away and then their presence from
/// the index. Whoever has such a file open goes on reading; whoever comes later finds it absent, which is a fetch.
final class Evictor: Sendable {
    private struct State {
        var stores: [OriginStore] = []
        var stopping = false
        var isRunning = false
        /// The disk was full since the last round began.
        var isFull = false
        /// A limit's high watermark was passed since the last round began.
        var isAbove = false
        /// Down to so many bytes, on demand.
        var target: UInt64?
        var rounds: UInt64 = 0
        var last: Round?
        /// Set while usage is above the limit and nothing is left to evict.
        var unmet: String?
        /// A full disk that eviction did not help is not looked at again so soon.
        var hopelessUntil = Deadline(nanoseconds: 0)
        var isFullDisk = false
        /// Told at the end of each round.
        var waiting: [EventCounter] = []
    }

    /// What a round did.
    struct Round: Hashable, Sendable, Codable {
        var reason: String
        var objects: UInt64
        var bytes: UInt64
        /// Of these, what living mounts use. Of an object that a sealed mount has opened the kernel gives the space back only when it drops the
        /// file's entry from memory, of an image when its last mount is gone.
        var mounted: UInt64
        var mountedBytes: UInt64
        var milliseconds: UInt64
    }

    let limits: StorageLimits
    private let counters: Counters
    private let log: Log
    private let state = Guarded(State())
    private let wakeups: EventCounter
    private let thread = Guarded<SystemThread?>(nil)

    /// What is freed at least when the disk is full: the disk is not ours alone, and each round looks at every record.
    static let fullDiskStep: UInt64 = 64 << 20

    init(limits: StorageLimits, counters: Counters, log: Log) throws(SystemError) {
        self.limits = limits
        self.counters = counters
        self.log = log
        wakeups = try EventCounter(semaphore: true)
    }

    func start(_ stores: [OriginStore]) throws(SystemError) {
        state.with { $0.stores = stores }
        let started = try SystemThread.start(name: "evict", nice: 5, stackSize: 1 << 20) { [self] in run() }
        thread.with { $0 = started }
        usageChanged()
    }

    /// Ends the thread, after the batch it is at.
    func stop() {
        state.with { $0.stopping = true }
        wakeups.add()
        thread.with { thread in
            defer { thread = nil }
            return thread
        }?.join()
        state.with { $0.stores = [] }
    }

    // MARK: Asking

    /// A store has more or fewer objects now. Any thread.
    func usageChanged() {
        guard limits.bytes > 0 || limits.inodes > 0 else { return }
        let stores = state.with { $0.stores }
        guard let usage = Self.usage(of: stores) else { return }
        if limits.isAboveHigh(usage) {
            // A round that could not do it is not repeated for every object.
            let isNew = state.with { state in
                guard !state.isAbove, state.unmet == nil || state.hopelessUntil.hasPassed else { return false }
                state.isAbove = true
                return true
            }
            if isNew { wakeups.add() }
        } else if !limits.isAbove(usage) {
            state.with { $0.unmet = nil }
        }
    }

    /// Something did not fit on the disk. Any thread.
    func diskIsFull() {
        let isNew = state.with { state in
            defer { state.isFullDisk = true }
            guard !state.isFull, state.hopelessUntil.hasPassed else { return false }
            state.isFull = true
            return true
        }
        if isNew { wakeups.add() }
    }

    /// Waits until room has been made; false if none could be. For writer threads, which have nothing else to do then.
    func makeRoom(within limit: Duration = .seconds(5)) -> Bool {
        guard let ended = try? EventCounter() else { return false }
        let before = state.with { state in
            state.waiting.append(ended)
            return state.rounds
        }
        diskIsFull()
        let deadline = Deadline.after(limit)
        while state.with({ $0.rounds == before && !$0.stopping && ($0.isFull || $0.isRunning) }), !deadline.hasPassed {
            _ = ended.wait(until: deadline)
        }
        return state.with { state in
            state.waiting.removeAll { $0 === ended }
            return state.rounds > before && (state.last?.objects ?? 0) > 0
        }
    }

    /// Evicts until all stores together take `target` bytes at most; nil for the low watermark.
    func collect(target: UInt64?) {
        state.with { $0.target = target ?? (limits.bytes > 0 ? limits.bytes / 100 * limits.low : .max) }
        wakeups.add()
    }

    struct Report: Sendable, Codable {
        var limitBytes: UInt64
        var limitInodes: UInt64
        var highWatermark: UInt64
        var lowWatermark: UInt64
        var isRunning: Bool
        var rounds: UInt64
        var last: Round?
        /// Why the limit is not kept, if it is not.
        var unmet: String?
        /// Something did not fit on the disk, and nothing has fitted since.
        var diskFull: Bool
    }

    var report: Report {
        state.with { state in
            Report(
                limitBytes: limits.bytes, limitInodes: limits.inodes, highWatermark: limits.high,
                lowWatermark: limits.low,
                isRunning: state.isRunning || state.target != nil || state.isFull || state.isAbove,
                rounds: state.rounds, last: state.last, unmet: state.unmet, diskFull: state.isFullDisk)
        }
    }

    /// Objects and index of all stores; nil while one does not know yet.
    static func usage(of stores: [OriginStore]) -> StoreUsage? {
        var sum = StoreUsage()
        for store in stores {
            guard let usage = store.usage else { return nil }
            sum = sum + usage
        }
        return sum
    }

    // MARK: The thread

    private func run() {
        while true {
            wakeups.wait()
            let (stores, isFull, target, stopping) = state.with { state in
                if state.stopping { for waiter in state.waiting { waiter.add() } }
                defer {
                    state.isFull = false
                    state.isAbove = false
                    state.target = nil
                    state.isRunning = !state.stopping
                }
                return (state.stores, state.isFull, state.target, state.stopping)
            }
            if stopping { return }
            round(stores, isFull: isFull, target: target)
        }
    }

    private func round(_ stores: [OriginStore], isFull: Bool, target: UInt64?) {
        let begin = Deadline.now
        var round = Round(reason: "limit", objects: 0, bytes: 0, mounted: 0, mountedBytes: 0, milliseconds: 0)
        var need = StorageLimits.Need()
        let usage = Self.usage(of: stores) ?? StoreUsage()
        if limits.isAboveHigh(usage) { need = limits.excess(usage) }
        if target != nil {
            for store in stores { store.clearAside() }
        }
        if let target, target < usage.bytes {
            round.reason = "asked"
            need = need.union(StorageLimits.Need(bytes: usage.bytes - target))
        }
        if isFull {
            round.reason = "disk-full"
            need = need.union(StorageLimits.Need(bytes: max(Self.fullDiskStep, usage.bytes / 20)))
        }
        if !need.isNothing {
            for victims in batches(plan(need, stores)) {
                if state.with({ $0.stopping }) { break }
                evict(victims, stores, &round)
            }
            round.milliseconds = (Deadline.now.nanoseconds - begin.nanoseconds) / 1_000_000
            log.info(
                "evicted",
                [
                    "reason": round.reason, "objects": "\(round.objects)", "bytes": "\(round.bytes)",
                    "mounted": "\(round.mounted)", "mounted_bytes": "\(round.mountedBytes)",
                    "ms": "\(round.milliseconds)",
                ])
        }
        end(round, did: !need.isNothing, isFull: isFull, stores)
    }

    private func end(_ round: Round, did: Bool, isFull: Bool, _ stores: [OriginStore]) {
        let after = Self.usage(of: stores) ?? StoreUsage()
        let unmet = limits.isAbove(after) ? explain(after, stores) : nil
        let isNews = state.with { state in
            defer { state.unmet = unmet }
            state.isRunning = false
            state.rounds += 1
            if did { state.last = round }
            if isFull { state.isFullDisk = round.objects == 0 }
            if round.objects == 0, isFull || unmet != nil { state.hopelessUntil = .after(.seconds(5)) }
            for waiter in state.waiting { waiter.add() }
            return unmet != nil && state.unmet == nil
        }
        if let unmet, isNews {
            counters.add(.limitsUnmet)
            log.warning("limit-unmet", ["cause": unmet])
        }
        if isFull && round.objects == 0 {
            log.warning("disk-full", ["action": "streaming", "cause": "nothing is left to evict"])
        }
    }

    private func explain(_ usage: StoreUsage, _ stores: [OriginStore]) -> String {
        let index = stores.reduce(UInt64(0)) { $0 + $1.indexBytes }
        return
            "\(usage.bytes) bytes and \(usage.objects) files are in use, \(index) bytes of them by the indexes, which are not "
            + "evicted; the limit is \(limits.bytes == 0 ? "no" : "\(limits.bytes)") bytes and "
            + "\(limits.inodes == 0 ? "no" : "\(limits.inodes)") files: raise it"
    }

    private func plan(_ need: StorageLimits.Need, _ stores: [OriginStore]) -> [EvictionPlan.Candidate] {
        var plan = EvictionPlan(need: need)
        for (number, store) in stores.enumerated() {
            let uses = store.flushUses()
            let inUse = store.images.inUse
            for (key, image) in store.images.all {
                plan.offer(
                    EvictionPlan.Candidate(
                        store: number, id: key.root, size: image.footprint,
                        rank: inUse.contains(key) ? .resident : .idle,
                        lastUse: image.lastUse, image: key))
            }
            // What sealed mounts may read without us, once they have opened it.
            let native = inUse.compactMap { store.images.sizes(of: $0) }
            // Taken by the round before: to take them again would free nothing. Read before the records are, which lose them later.
            let leaving = store.leaving.with { $0.ids }
            store.eachRecord { id, record in
                guard record.flags.contains(.present), !leaving.contains(id) else { return }
                var candidate = EvictionPlan.Candidate(
                    store: number, id: id, size: record.size, rank: .idle, lastUse: record.lastUse)
                // Only what follows costs anything.
                guard plan.wouldTake(candidate) else { return }
                candidate.lastUse = uses.lastUse(of: id, recorded: record.lastUse)
                if uses.isMounted(id) || native.contains(where: { $0[id] != nil }) {
                    candidate.rank = .mounted
                    guard plan.wouldTake(candidate) else { return }
                    if store.objects.isResident(id) { candidate.rank = .resident }
                }
                plan.offer(candidate)
            }
        }
        return plan.victims
    }

    private func batches(_ victims: [EvictionPlan.Candidate]) -> [ArraySlice<EvictionPlan.Candidate>] {
        stride(from: 0, to: victims.count, by: 512).map { victims[$0..<min($0 + 512, victims.count)] }
    }

    /// Files first: a record without a file is found out at once, a file without a record only by a sweep.
    private func evict(
        _ victims: ArraySlice<EvictionPlan.Candidate>, _ stores: [OriginStore], _ round: inout Round
    ) {
        var gone: [Int: (ids: [ObjectID], usage: StoreUsage)] = [:]
        for victim in victims {
            if let image = victim.image {
                stores[victim.store].images.remove(image)
                count(victim, &round)
                continue
            }
            do throws(SystemError) {
                // The round before may have taken it, and its record not be gone yet.
                guard try stores[victim.store].objects.remove(victim.id) else { continue }
            } catch {
                counters.add(.storageFailures)
                log.error("object-not-removed", ["object": victim.id.hex, "cause": "\(error)"])
                continue
            }
            gone[victim.store, default: ([], StoreUsage())].ids.append(victim.id)
            gone[victim.store, default: ([], StoreUsage())].usage.objects += 1
            gone[victim.store, default: ([], StoreUsage())].usage.bytes += victim.footprint
            counters.add(.evictedObjects)
            count(victim, &round)
        }
        for (store, victims) in gone { stores[store].forget(victims.ids, victims.usage) }
    }

    private func count(_ victim: EvictionPlan.Candidate, _ round: inout Round) {
        round.objects += 1
        round.bytes += victim.footprint
        guard victim.rank != .idle else { return }
        round.mounted += 1
        round.mountedBytes += victim.footprint
    }
}
