import LinuxSystem

/// Takes away what is left of mounts that nobody has any more: once at the start, then every minute.
actor Sweeper {
    /// Who is alive: asked after the look around, so that what was made meanwhile has its owner.
    struct Living: Sendable {
        var mounts: Set<MountID> = []
        var workers: Set<Int32> = []
    }

    static let period: Duration = .seconds(60)

    private let scan: StaleScan
    private let thread: BlockingThreads
    private let log: any SupervisorLog
    private let events: EventLog
    private let living: @Sendable () async -> Living
    private var machine = SweepMachine(startedAt: ProcessIdentity.current.startTime)
    /// What could not be taken away, and was told.
    private var stuck: Set<StaleThing> = []
    private var repetition: Task<Void, Never>?

    init(
        scan: StaleScan, log: any SupervisorLog, events: EventLog, living: @escaping @Sendable () async -> Living
    ) throws(SystemError) {
        self.scan = scan
        self.log = log
        self.events = events
        self.living = living
        thread = try BlockingThreads(count: 1, name: "sweep")
    }

    /// Sweeps at the start, before anything is served.
    func begin() async {
        await sweep(atStart: true)
        repetition = Task {
            while !Task.isCancelled {
                try? await Pause.sleep(for: Self.period)
                if !Task.isCancelled { await self.sweep() }
            }
        }
    }

    func stop() {
        repetition?.cancel()
        repetition = nil
    }

    func sweep(atStart: Bool = false) async {
        let scan = scan
        let everything: [StaleThing: Int?]
        do throws(SystemError) {
            everything = try await thread.run { () throws(SystemError) in try scan.everything() }
        } catch {
            return log.log(.warning, "cannot look for what is stale", [("error", error.description)])
        }
        let living = await living()
        let found = Set(everything.keys.filter { !Self.isOwned($0, living) })
        stuck.formIntersection(found)
        var left = machine.handle(found: found, atStart: atStart)
        var blocked: Set<MountID> = []
        while let order = left.first?.order {
            var same = left.filter { $0.order == order }
            left.removeAll { $0.order == order }
            // Of mounts on one another only the topmost can go; then the next one.
            while !same.isEmpty {
                var failed: [(StaleThing, SystemError)] = []
                for thing in same {
                    if let error = await remove(thing, age: everything[thing] ?? nil) { failed.append((thing, error)) }
                }
                if failed.count == same.count {
                    for (thing, error) in failed { tell(thing, error) }
                    blocked.formUnion(failed.compactMap(\.0.mount))
                    break
                }
                same = failed.map(\.0)
            }
            // What a mount stands on stays as long as the mount does.
            left.removeAll { $0.mount.map(blocked.contains) ?? false }
        }
    }

    private func remove(_ thing: StaleThing, age: Int?) async -> SystemError? {
        let scan = scan
        do throws(SystemError) {
            try await thread.run { () throws(SystemError) in try scan.remove(thing) }
        } catch {
            return error
        }
        let fields = Self.fields(thing) + [("age_s", age.map { "\($0)" } ?? "unknown")]
        log.log(.notice, "took away what nobody has", fields)
        events.record(.staleRemoved, details: fields)
        return nil
    }

    /// Tried again each time, told once.
    private func tell(_ thing: StaleThing, _ error: SystemError) {
        guard stuck.insert(thing).inserted else { return }
        log.log(.warning, "cannot take away what nobody has", Self.fields(thing) + [("error", error.description)])
    }

    private static func fields(_ thing: StaleThing) -> [(String, String)] {
        [("kind", thing.kind), ("name", thing.name)]
    }

    private static func isOwned(_ thing: StaleThing, _ living: Living) -> Bool {
        switch thing {
        case .worker(let process, _): living.workers.contains(process.pid)
        case .socket: false
        case .mount(let id, _, _), .upper(let id), .mountpoint(let id), .record(let id): living.mounts.contains(id)
        }
    }
}
