import Glibc
import LinuxSystem
import WorkerProtocol

/// Looks at every connection once a second, without the workers' help: one thread and one wake-up for all mounts. While nothing waits in any
/// mount and no reader turns, it looks less often. When there is no mount it wakes for the service manager's watchdog only.
///
/// What it sees is passed on while requests wait, and once when they no longer do; of a mount in which nothing waits nobody hears.
final class Heartbeat: Sendable {
    static let interval: Duration = .seconds(1)
    /// Between looks while nothing goes on: a request that hangs afterwards is seen at the first, and two more find out why.
    static let quietInterval: Duration = .milliseconds(1500)

    private struct Watched {
        let custody: Custody
        let receive: @Sendable (HangSample) -> Void
        var wasWaiting = false
        /// The first look of those in a row at which requests waited.
        var waitingSince: Deadline?
        /// The first look of those in a row at which a request was there that nobody read, and the readers' turns then.
        var unread: (since: Deadline, turns: UInt64)?
    }

    /// Something that is to be done again and again, with the looks where there are any.
    private struct Life {
        let interval: Duration
        var due: Deadline
        let beat: @Sendable () -> Void
    }

    /// Every so many looks the cache owner has its turn.
    static let ownerLooks = 2

    private let watched = Guarded<[MountID: Watched]>([:])
    private let owner = Guarded<(@Sendable (UInt64) -> Bool)?>(nil)
    private let life = Guarded<Life?>(nil)
    private let wake: EventCounter

    init() throws(SystemError) {
        wake = try EventCounter()
        try SystemThread.start(name: "heartbeat", nice: SupervisionExecutor.nice) { self.run() }.detach()
    }

    /// Watches a connection from now on. `receive` is called on the heartbeat's thread and must not block.
    func watch(_ mount: MountID, _ custody: Custody, _ receive: @escaping @Sendable (HangSample) -> Void) {
        let isFirst = watched.with { watched in
            watched[mount] = Watched(custody: custody, receive: receive)
            return watched.count == 1
        }
        if isFirst { wake.add() }
    }

    func forget(_ mount: MountID) {
        watched.with { $0[mount] = nil }
    }

    /// Since when requests of a mount have been waiting, at every look; nil if none do.
    func waitingSince(_ mount: MountID) -> Deadline? {
        watched.with { $0[mount]?.waitingSince }
    }

    /// Since when a request has been there that nobody reads, to the second; nil if none is. `turns` are those of the readers now.
    func unreadSince(_ mount: MountID, turns: UInt64) -> Deadline? {
        let unread = watched.with { $0[mount]?.unread }
        return unread?.turns == turns ? unread?.since : nil
    }

    /// Calls `look` every second time, on the heartbeat's thread, with the turns that the readers of all workers have made; it must not
    /// block. True from it asks for the next call, also if there is no mount.
    func watchOwner(_ look: @escaping @Sendable (UInt64) -> Bool) {
        owner.with { $0 = look }
    }

    /// Calls `beat` at the first look after each interval, on the heartbeat's thread, also while there is no mount; it must not block.
    func watchLife(every interval: Duration, _ beat: @escaping @Sendable () -> Void) {
        life.with { $0 = Life(interval: interval, due: .now, beat: beat) }
        wake.add()
    }

    /// Somebody waits for the owner.
    func nudge() {
        if watched.with({ $0.isEmpty }) { wake.add() }
    }

    private func run() {
        var looks = 0
        var isWanted = false
        var turns: UInt64 = 0
        var isQuiet = false
        while true {
            if !isWanted, watched.with({ $0.isEmpty }) {
                var entry = pollfd(fd: wake.raw, events: Int16(POLLIN), revents: 0)
                let isWoken = poll(&entry, 1, life.with { $0?.due.pollTimeout } ?? -1) > 0
                beatIfDue()
                if !isWoken { continue }
                wake.clear()
            }
            let interval = isQuiet && !isWanted ? Self.quietInterval : Self.interval
            let (seconds, rest) = untilLook(interval).nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
            var pause = timespec(tv_sec: Int(seconds), tv_nsec: Int(rest))
            nanosleep(&pause, nil)
            beatIfDue()
            let all = watched.with { $0 }
            var isWaiting = false
            for (mount, item) in all where look(at: mount, item) { isWaiting = true }
            let before = turns
            turns = all.values.reduce(0) { $0 &+ $1.custody.memory.value(.readerTurns) }
            looks &+= 1
            if looks % Self.ownerLooks == 0 || interval > Self.interval || all.isEmpty {
                isWanted = owner.with { $0 }?(turns) ?? false
            }
            isQuiet = !isWaiting && turns == before
        }
    }

    /// The pause before the next look: what is due again and again has to wait a second at most.
    private func untilLook(_ interval: Duration) -> Duration {
        min(interval, max(Self.interval, life.with { $0?.due.remaining } ?? interval))
    }

    private func beatIfDue() {
        let beat = life.with { life -> (@Sendable () -> Void)? in
            guard let interval = life?.interval, life?.due.hasPassed == true else { return nil }
            life?.due = .after(interval)
            return life?.beat
        }
        beat?()
    }

    private func note(_ sample: HangSample, _ mount: MountID, _ item: Watched) {
        guard sample.isUnread else {
            if item.unread != nil { watched.with { $0[mount]?.unread = nil } }
            return
        }
        // One of them was read meanwhile, perhaps the one that was first.
        guard item.unread?.turns != sample.readerTurns else { return }
        watched.with { $0[mount]?.unread = (.now, sample.readerTurns) }
    }

    /// Whether requests wait.
    private func look(at mount: MountID, _ item: Watched) -> Bool {
        let sample = HangSample(of: item.custody)
        let isWaiting = sample.waiting > 0
        note(sample, mount, item)
        guard isWaiting || item.wasWaiting else { return false }
        if isWaiting != item.wasWaiting {
            watched.with {
                $0[mount]?.wasWaiting = isWaiting
                $0[mount]?.waitingSince = isWaiting ? .now : nil
            }
        }
        item.receive(sample)
        return isWaiting
    }
}

extension HangSample {
    /// What a connection shows now. Never blocks.
    init(of custody: Custody) {
        waiting = custody.waiting ?? 0
        isUnread = custody.hasUnread
        readerTurns = custody.memory.value(.readerTurns)
        slow = custody.memory.value(.slow)
        inFlight = waiting > 0 ? custody.memory.inFlight() : [:]
    }
}
