import GitObjects
import Glibc
import LinuxSystem

/// Holds object files against the index and, in a slower pass, against their ids: the one thread that reads what nobody asked for.
///
/// It begins after an unclean end, after the index was lost, when the last pass over the contents was `interval` ago, and on demand.
/// What is damaged is set aside and fetched again; what is missing is forgotten; what the index does not know is checked and
/// taken in.
final class Sweeper: Sendable {
    private struct State {
        var stores: [OriginStore] = []
        var requested: SweepKind?
        var stopping = false
        var report = SweepReport()
        var begin = Deadline.now
        /// Seconds after 1970.
        var lastEnd: Int64 = 0
    }

    private let rate: UInt64
    private let interval: Duration
    private let counters: Counters
    private let log: Log
    private let state = Guarded(State())
    private let wakeups: EventCounter
    private let thread = Guarded<SystemThread?>(nil)

    /// - Parameters:
    ///   - rate: bytes a second that passes in the background read; 0 for as many as there are.
    ///   - interval: from the end of one pass over the contents to the begin of the next.
    init(rate: UInt64, interval: Duration, counters: Counters, log: Log) throws(SystemError) {
        self.rate = rate
        self.interval = interval
        self.counters = counters
        self.log = log
        wakeups = try EventCounter()
    }

    func start(_ stores: [OriginStore]) throws(SystemError) {
        let last = stores.map(\.lastSweep).min() ?? 0
        state.with { state in
            state.stores = stores
            state.lastEnd = last
        }
        let started = try SystemThread.start(name: "sweep", nice: 19, stackSize: 1 << 20) { [self] in run() }
        thread.with { $0 = started }
    }

    func stop() {
        state.with { $0.stopping = true }
        wakeups.add()
        thread.with { thread in
            defer { thread = nil }
            return thread
        }?.join()
        state.with { $0.stores = [] }
    }

    /// Asks for a sweep; one that does less gives way to it. Any thread. Answers the number it will have at least.
    @discardableResult
    func request(_ kind: SweepKind) -> UInt64 {
        let number = state.with { state in
            if state.report.isRunning, state.report.kind == kind, state.requested == nil { return state.report.number }
            state.requested = max(state.requested ?? kind, kind)
            return state.report.number + 1
        }
        wakeups.add()
        return number
    }

    var report: SweepReport {
        state.with { state in
            var report = state.report
            if report.isRunning {
                report.milliseconds = (Deadline.now.nanoseconds - state.begin.nanoseconds) / 1_000_000
            }
            // Asked for, but the thread has not seen it yet.
            if state.requested != nil { report.isRunning = true }
            return report
        }
    }

    // MARK: The thread

    private func run() {
        while true {
            let (kind, stopping) = state.with { state in
                defer { state.requested = nil }
                return (state.requested, state.stopping)
            }
            if stopping { return }
            if let kind {
                sweep(kind)
                continue
            }
            if !wakeups.wait(until: due), due.hasPassed { request(.contents) }
        }
    }

    /// When the next pass over the contents is due.
    private var due: Deadline {
        guard interval > .zero else { return .never }
        let age = Int64(time(nil)) - state.with { $0.lastEnd }
        return .after(max(.zero, interval - .seconds(max(0, age))))
    }

    private func sweep(_ kind: SweepKind) {
        let stores = state.with { state in
            let usage = state.stores.map { $0.writer.objectUsage ?? StoreUsage() }.reduce(StoreUsage(), +)
            state.begin = .now
            state.report = SweepReport(
                kind: kind, isRunning: true, totalObjects: usage.objects, totalBytes: usage.bytes,
                number: state.report.number + 1)
            return state.stores
        }
        var throttle = Throttle(rate: kind == .contents ? rate : 0, now: .now)
        var isWhole = true
        for store in stores where isWhole {
            for part in UInt8.min...UInt8.max {
                guard goOn(kind) else {
                    isWhole = false
                    break
                }
                sweep(store, part, kind, &throttle)
            }
            if isWhole, kind.looksAtContents { checkImages(of: store, kind, &throttle) }
        }
        end(kind, stores, isWhole: isWhole)
    }

    private func end(_ kind: SweepKind, _ stores: [OriginStore], isWhole: Bool) {
        let now = Int64(time(nil))
        let report = state.with { state in
            state.report.isRunning = false
            state.report.isInterrupted = !isWhole
            state.report.milliseconds = (Deadline.now.nanoseconds - state.begin.nanoseconds) / 1_000_000
            if isWhole {
                if kind.looksAtContents { state.lastEnd = now }
                if let next = kind.next { state.requested = max(state.requested ?? next, next) }
            }
            return state.report
        }
        if isWhole && kind.looksAtContents {
            for store in stores { store.writer.submit(.swept(now * 1000)) }
        }
        log.info(
            isWhole ? "swept" : "sweep-interrupted",
            [
                "kind": "\(kind)", "objects": "\(report.objects)", "bytes": "\(report.bytes)",
                "damaged": "\(report.damaged)", "missing": "\(report.missing)", "adopted": "\(report.adopted)",
                "failed": "\(report.failed)", "ms": "\(report.milliseconds)",
            ])
    }

    /// False when the process ends or something greater is asked for.
    private func goOn(_ kind: SweepKind) -> Bool {
        state.with { !$0.stopping && ($0.requested ?? kind) <= kind }
    }

    private func sweep(_ store: OriginStore, _ part: UInt8, _ kind: SweepKind, _ throttle: inout Throttle) {
        do {
            // Files before records: what is stored in between is then no orphan and not missing.
            let (files, strangers) = try store.objects.names(prefix: part)
            for name in strangers {
                log.warning("stranger", ["origin": store.name, "name": name, "action": "quarantined"])
                try store.objects.quarantine(stranger: name, prefix: part)
            }
            let records = try store.records(of: part)
            for step in SweepPlan.steps(files: files, records: records) {
                guard goOn(kind) else { return }
                carryOut(step, store, kind, &throttle)
            }
        } catch {
            state.with { $0.report.failed += 1 }
            log.error("sweep-failed", ["origin": store.name, "part": "\(part)", "cause": "\(error)"])
        }
    }

    /// Images that are damaged are taken away and made anew; whoever has mounted one keeps what the kernel has of it.
    private func checkImages(of store: OriginStore, _ kind: SweepKind, _ throttle: inout Throttle) {
        for (key, image) in store.images.all where image.isChecked {
            let isIntact = store.images.check(key) { count in
                state.with { $0.report.bytes += UInt64(count) }
                if let pause = throttle.pause(after: UInt64(count), now: .now) { _ = wakeups.wait(until: pause) }
                return goOn(kind)
            }
            if isIntact { continue }
            state.with { $0.report.damaged += 1 }
            counters.add(.damagedImages)
            log.error("image-damaged", ["origin": store.name, "image": key.name, "action": "made anew"])
            store.sealer?.remake(key)
        }
    }

    private func carryOut(
        _ step: SweepPlan.Step, _ store: OriginStore, _ kind: SweepKind, _ throttle: inout Throttle
    ) {
        state.with { $0.report.objects += 1 }
        counters.add(.checkedObjects)
        do throws(SystemError) {
            switch step {
            case .missing(let id, let size):
                guard !store.objects.contains(id) else { return }
                state.with { $0.report.missing += 1 }
                counters.add(.missingObjects)
                store.forget([id], StoreUsage(objects: 1, bytes: StoreUsage.footprint(of: size)))
            case .check(let id, let size):
                try check(id, size, store, kind, &throttle)
            case .orphan(let id):
                try adopt(id, store, kind, &throttle)
            }
        } catch {
            // Evicted meanwhile, or the sweep was told to end.
            guard error.errno != .notFound && error.errno != .cancelled else { return }
            state.with { $0.report.failed += 1 }
            counters.add(.storageFailures)
            log.error("object-not-checked", ["origin": store.name, "cause": "\(error)"])
        }
    }

    private func check(
        _ id: ObjectID, _ size: UInt64, _ store: OriginStore, _ kind: SweepKind, _ throttle: inout Throttle
    ) throws(SystemError) {
        let file: OwnedFD
        do throws(SystemError) {
            file = try store.objects.open(id)
        } catch  where error.errno == .accessDenied {
            return try setAside(id, size, store, store.objects.denial(of: id))
        }
        let status = try FileStatus(of: file.raw)
        guard status.mode & S_IFMT == S_IFREG, status.size == size else {
            return try setAside(id, size, store, "it has \(status.size) bytes in place of \(size)")
        }
        guard kind.looksAtContents else { return }
        guard try hash(file.raw, id, size, kind, &throttle) == id else {
            return try setAside(id, size, store, "its contents are others")
        }
    }

    private func setAside(_ id: ObjectID, _ size: UInt64, _ store: OriginStore, _ why: String) throws(SystemError) {
        state.with { $0.report.damaged += 1 }
        try store.setAside(id, size, why)
        store.fetchAgain(id, size: size)
    }

    private func adopt(
        _ id: ObjectID, _ store: OriginStore, _ kind: SweepKind, _ throttle: inout Throttle
    ) throws(SystemError) {
        let file: OwnedFD
        do throws(SystemError) {
            file = try store.objects.open(id)
        } catch  where error.errno == .accessDenied {
            return try setAsideStranger(id, store, store.objects.denial(of: id))
        }
        let status = try FileStatus(of: file.raw)
        if status.mode & S_IFMT == S_IFREG, try hash(file.raw, id, status.size, kind, &throttle) == id {
            state.with { $0.report.adopted += 1 }
            counters.add(.adoptedObjects)
            store.writer.submit(.blob(id, size: status.size, contents: nil))
        } else {
            try setAsideStranger(id, store, "its contents are others")
        }
    }

    /// Takes a file that the index does not know out of the way.
    private func setAsideStranger(_ id: ObjectID, _ store: OriginStore, _ why: String) throws(SystemError) {
        state.with { $0.report.damaged += 1 }
        counters.add(.damagedObjects)
        log.error("object-damaged", ["origin": store.name, "object": id.hex, "cause": why, "action": "quarantined"])
        try store.objects.quarantine(id)
    }

    private func hash(
        _ fd: Int32, _ id: ObjectID, _ size: UInt64, _ kind: SweepKind, _ throttle: inout Throttle
    ) throws(SystemError) -> ObjectID? {
        // What a pass over everything read must not drive out what is in use.
        let wasResident = File.isResident(fd)
        defer { if !wasResident { posix_fadvise(fd, 0, 0, Int32(POSIX_FADV_DONTNEED)) } }
        return try ObjectCheck.hash(fd, as: id, size: size) { count in
            state.with { $0.report.bytes += UInt64(count) }
            if let pause = throttle.pause(after: UInt64(count), now: .now) { _ = wakeups.wait(until: pause) }
            return goOn(kind)
        }
    }
}
