import CacheProtocol
import LinuxSystem
import WorkerProtocol

/// Finds an owner that hangs, and ends it; what follows is what follows every end of an owner.
extension CacheOwner {
    /// Time for the answer to a ping, before it is looked why there is none; and between two such looks.
    static let pingTimeout: Duration = .milliseconds(400)
    static let secondLook: Duration = .milliseconds(500)

    /// Whether the owner is to be looked at; filled on the supervision thread, asked on the heartbeat's.
    struct Need {
        /// Turns of all readers when it was last seen healthy.
        var turns: UInt64 = 0
        var channel: ControlChannel?
        var waiter: CheckedContinuation<UInt64, Never>?
    }

    /// Runs until the supervisor stops. An idle machine is not woken for a ping: it is sent only when workers have asked the kernel's
    /// requests, or the supervisor something, since the last answer.
    func watchHeartbeat(_ heartbeat: Heartbeat) async {
        self.heartbeat = heartbeat
        let need = need
        heartbeat.watchOwner { turns in
            let (waiter, isAsked) = need.with { need in
                let isAsked = need.channel?.isAsked == true
                return (isAsked || turns != need.turns ? need.waiter.take() : nil, isAsked)
            }
            waiter?.resume(returning: turns)
            return isAsked
        }
        var judge = OwnerJudge()
        while !stopping {
            let turns = await withCheckedContinuation { waiter in need.with { $0.waiter = waiter } }
            guard let process, let channel else { continue }
            switch await look(at: process, through: channel, &judge) {
            case .healthy: need.with { $0.turns = turns }
            case .late: log.log(.notice, "the cache owner is late", [("pid", "\(process.pid)")])
            case .hung(let evidence): end(process, evidence)
            }
        }
    }

    private func look(
        at process: ChildProcess, through channel: ControlChannel, _ judge: inout OwnerJudge
    ) async -> OwnerJudge.Verdict {
        let since = Deadline.now
        if let first = await pulse(of: channel) {
            let suspects = OwnerJudge.suspects(first)
            if suspects.isEmpty { return judge.judge(suspects: [], before: [], after: []) }
            let before = ThreadSample.all(of: process.pid)
            try? await Pause.sleep(for: Self.secondLook)
            let second = await pulse(of: channel) ?? []
            let same = Set(
                first.filter { one in second.contains { $0.thread == one.thread && $0.turns == one.turns } }
                    .map(\.thread))
            return judge.judge(
                suspects: suspects.intersection(same), before: before, after: ThreadSample.all(of: process.pid))
        }
        guard self.process === process, self.channel === channel else { return .healthy }
        let before = ThreadSample.all(of: process.pid)
        try? await Pause.sleep(for: Self.secondLook)
        return judge.judge(
            OwnerJudge.Silence(since: since, before: before, after: ThreadSample.all(of: process.pid)))
    }

    private func pulse(of channel: ControlChannel) async -> [ThreadPulse]? {
        let request = ControlRequest.ping
        guard
            var reader = try? await channel.request(
                request.operation.rawValue, request.encode(), deadline: .after(Self.pingTimeout)),
            case .pulse(let threads) = try? ControlReply(operation: .ping, from: &reader)
        else { return nil }
        return threads
    }
}
