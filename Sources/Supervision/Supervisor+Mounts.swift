import LinuxSystem

/// What changes or ends a mount that exists.
extension Supervisor {
    public func remove(
        _ id: MountID, _ options: UnmountOptions, caller: Caller
    ) async throws(SupervisorError) -> MountStatus {
        while true {
            let mount = try await registry.mount(id)
            do throws(SupervisorError) {
                try await mount.unmount(options, caller: caller.uid, because: Self.cause(options, caller))
            } catch  where error == MountMachine.succeeded {
                // The view that was asked is no longer the mount's.
                await Task.yield()
                continue
            }
            let status = await mount.status()
            guard await registry.remove(current: mount) else { continue }
            await withTaskGroup { group in
                for view in await registry.furtherViews(of: id) {
                    group.addTask {
                        try? await view.unmount(UnmountOptions(force: true), because: "the mount has ended")
                    }
                }
            }
            return status
        }
    }

    private static func cause(_ options: UnmountOptions, _ caller: Caller) -> String {
        let how = [options.force ? "force" : nil, options.kill ? "kill" : nil].compactMap(\.self)
        return "asked for by \(caller.address ?? "user \(caller.uid)")"
            + (how.isEmpty ? "" : " with \(how.joined(separator: " and "))")
    }

    public func exchange(_ id: MountID, _ request: SwitchRequest) async throws(SupervisorError) -> MountStatus {
        guard let begun = try await startExchange(id, request) else { return try await mount(id) }
        return try await finish(begun)
    }

    public func beginExchange(_ id: MountID, _ request: SwitchRequest) async throws(SupervisorError) -> MountStatus {
        // How it ends is told by the mount.
        if let begun = try await startExchange(id, request) { Task { try? await finish(begun) } }
        return try await mount(id)
    }

    /// An exchange that the mount knows of.
    private struct BegunExchange: Sendable {
        let old: MountActor
        let succession: Succession
        let request: SwitchRequest
        let wanted: MountRequest
    }

    /// Nil if there is nothing to exchange.
    private func startExchange(
        _ id: MountID, _ request: SwitchRequest
    ) async throws(SupervisorError) -> BegunExchange? {
        let old = try await registry.mount(id)
        if request.changelist == nil, request.revision == nil, old.request.changelist == nil { return nil }
        let wanted = try RequestRules.exchanged(old.request, by: request)
        guard await registry.furtherViews(of: id).count < Self.furtherViewsLimit else {
            throw SupervisorError(
                .overloaded,
                "\(Self.furtherViewsLimit) views of the mount are in use already that earlier exchanges replaced: let their users end",
                retryAfter: 5)
        }
        let succession = Succession(of: old, writes: request.writes) { [registry] in await registry.promote($0) }
        try await old.begin(succession, to: wanted.changelist)
        return BegunExchange(old: old, succession: succession, request: request, wanted: wanted)
    }

    private func finish(_ begun: BegunExchange) async throws(SupervisorError) -> MountStatus {
        let (old, succession, request) = (begun.old, begun.succession, begun.request)
        let next = MountActor(
            id: .random(), mountID: old.mountID, request: begun.wanted, origin: old.origin, mountpoint: old.mountpoint,
            owner: old.owner, environment: old.environment)
        do throws(SupervisorError) {
            try await registry.add(view: next)
            // The commit stays, whatever the revision's name has come to mean.
            let keeps = request.revision == nil && request.changelist?.base != .own
            await next.build(
                for: succession, pinning: keeps ? old.snapshot?.pinnableCommit : nil, createdAt: old.createdAt)
            try await next.ready()
        } catch {
            await registry.remove(view: next.id)
            await old.exchangeFailed(error)
            throw error
        }
        await next.exchangeTask?.value
        return await next.status()
    }

    /// Views besides the current one that one mount may have: each has a worker and an upper.
    private static let furtherViewsLimit = 16

    /// Ends all exchanges, one way or the other; none begins any more when the registry has stopped. Bounded: what is not to begin is not waited for.
    func settleExchanges() async {
        let views = await registry.everyView()
        for view in views { await view.settleExchange() }
        let limit = Deadline.after(.seconds(3))
        for view in views {
            while await view.machine.phase == .yielding, !limit.hasPassed {
                try? await Pause.sleep(for: .milliseconds(5))
            }
        }
    }
}
