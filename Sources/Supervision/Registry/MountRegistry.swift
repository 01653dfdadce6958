import LinuxSystem

/// All mounts by id, job and mountpoint: the one place that decides whether a request is a new mount, the same again, or a conflict.
actor MountRegistry {
    private var configuration: SupervisorConfiguration
    private let makeMount: @Sendable (MountID, MountRequest, String, Mountpoint, Caller) -> MountActor
    /// The current view of each mount.
    private var mounts: [MountID: MountActor] = [:]
    /// Views that are being built to take the place of a mount's current one, and those that were succeeded, by their own ids.
    private var views: [MountID: MountActor] = [:]
    /// In the order of creation.
    private var order: [MountID] = []
    private var jobs: [String: MountID] = [:]
    private var mountpoints: [String: MountID] = [:]
    /// Mounts that an earlier supervisor left and nobody could go on with, oldest first.
    private var lost: [MountID] = []
    private var stopping = false
    /// Who asked for each mount.
    private var users: [MountID: UInt32] = [:]
    private var admission: AdmissionMachine
    private let room: RoomProbe
    /// Requests that wait for a place, by number, so in the order in which they came.
    private var queue: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var lastInQueue: UInt64 = 0

    static let lostLimit = 256

    init(
        configuration: SupervisorConfiguration,
        makeMount: @escaping @Sendable (MountID, MountRequest, String, Mountpoint, Caller) -> MountActor
    ) {
        self.configuration = configuration
        self.makeMount = makeMount
        admission = AdmissionMachine(AdmissionMachine.Limits(configuration))
        room = RoomProbe(upperRoot: configuration.upperRoot)
    }

    var count: Int {
        mounts.count
    }

    /// The mount for a request: the one that its job has already, or a new one that is not started yet. Waits in the queue if there is no place.
    func admit(_ request: MountRequest, caller: Caller) async throws(SupervisorError) -> MountActor {
        let request = try RequestRules.normalised(request)
        let deadline = Deadline.after(configuration.mountQueueTimeout)
        while true {
            if let known = try known(request, caller) { return known }
            let decision = admission.decide(
                mounts: mounts.count - lost.count, ofUser: users.values.count { $0 == caller.uid },
                waiting: queue.count,
                room: room.read())
            switch decision {
            case .admit: return try add(request, caller)
            case .refuse(let reason, let seconds):
                throw SupervisorError(.overloaded, reason, retryAfter: seconds)
            case .wait where deadline.hasPassed:
                throw SupervisorError(
                    .overloaded, "no place became free within \(configuration.mountQueueTimeout)", retryAfter: 5)
            case .wait: await waitForPlace(until: deadline)
            }
        }
    }

    private func waitForPlace(until deadline: Deadline) async {
        lastInQueue += 1
        let number = lastInQueue
        let alarm = Task {
            try? await Pause.sleep(for: deadline.remaining)
            if !Task.isCancelled { self.queue.removeValue(forKey: number)?.resume() }
        }
        await withCheckedContinuation { queue[number] = $0 }
        alarm.cancel()
    }

    /// Goes on with other limits; whoever waits in the queue is measured anew.
    func reconfigure(_ configuration: SupervisorConfiguration) {
        self.configuration = configuration
        admission.limits = AdmissionMachine.Limits(configuration)
        wakeAll()
    }

    /// No mount is taken in while this is on; false if that is no news.
    func drain(_ on: Bool) -> Bool {
        defer { admission.isDraining = on }
        if on { wakeAll() }
        return admission.isDraining != on
    }

    private func wakeAll() {
        let waiting = queue.values
        queue = [:]
        for continuation in waiting { continuation.resume() }
    }

    private func known(_ request: MountRequest, _ caller: Caller) throws(SupervisorError) -> MountActor? {
        if stopping { throw SupervisorError(.shuttingDown, "the supervisor is stopping") }
        guard let job = request.jobKey, let id = jobs[job], let known = mounts[id] else { return nil }
        guard caller.role != .agent || known.owner.uid == caller.uid else {
            throw SupervisorError(.conflict, "job \(job) is somebody else's; choose another name")
        }
        guard known.request == request else {
            throw SupervisorError(
                .conflict,
                "job \(job) has a mount already, of another request: mount \(id) at \(known.mountpoint.path)")
        }
        return known
    }

    private func add(_ request: MountRequest, _ caller: Caller) throws(SupervisorError) -> MountActor {
        let origin = try RequestRules.origin(of: request, configuration)
        try RequestRules.checkUpper(of: request, configuration)
        let id = MountID.random()
        let mountpoint = try RequestRules.mountpoint(of: request, id, configuration)
        if let other = mountpoints[mountpoint.path] {
            throw SupervisorError(.conflict, "\(mountpoint.path) is the mountpoint of mount \(other)")
        }
        let mount = makeMount(id, request, origin, mountpoint, caller)
        users[id] = caller.uid
        insert(mount)
        return mount
    }

    /// Takes in a mount of an earlier supervisor; false if its id, job or mountpoint is in use.
    func restore(_ mount: MountActor) -> Bool {
        let job = mount.request.jobKey
        guard mounts[mount.mountID] == nil, mountpoints[mount.mountpoint.path] == nil,
            job.map({ jobs[$0] == nil }) ?? true
        else { return false }
        users[mount.mountID] = mount.owner.uid
        insert(mount)
        return true
    }

    /// Takes in a further view of a mount.
    func add(view: MountActor) throws(SupervisorError) {
        if stopping { throw SupervisorError(.shuttingDown, "the supervisor is stopping") }
        views[view.id] = view
    }

    /// Makes a view the current one of its mount; the one that was is a further view from now on.
    func promote(_ view: MountActor) {
        views[view.id] = nil
        guard let old = mounts.updateValue(view, forKey: view.mountID), old !== view else { return }
        views[old.id] = old
    }

    /// Forgets a view that is gone.
    func remove(view id: MountID) {
        views[id] = nil
    }

    /// Forgets a mount if this is its current view; false if another is by now.
    func remove(current view: MountActor) -> Bool {
        guard let current = mounts[view.mountID] else { return true }
        guard current === view else { return false }
        remove(view.mountID)
        return true
    }

    /// Ends what is left of a mount whose current view has ended by itself.
    func endAndForget(_ id: MountID) async {
        let views = furtherViews(of: id)
        remove(id)
        await withTaskGroup { group in
            for view in views {
                group.addTask { try? await view.unmount(UnmountOptions(force: true), because: "the mount has ended") }
            }
        }
    }

    /// The views of a mount besides the current one.
    func furtherViews(of mount: MountID) -> [MountActor] {
        views.values.filter { $0.mountID == mount }
    }

    /// Every mount's current view and all further ones.
    func everyView() -> [MountActor] {
        all() + views.values
    }

    private func insert(_ mount: MountActor) {
        mounts[mount.mountID] = mount
        order.append(mount.mountID)
        mountpoints[mount.mountpoint.path] = mount.mountID
        if let job = mount.request.jobKey { jobs[job] = mount.mountID }
    }

    /// Forgets a mount that is gone.
    func remove(_ id: MountID) {
        guard let mount = mounts.removeValue(forKey: id) else { return }
        order.removeAll { $0 == id }
        lost.removeAll { $0 == id }
        free(mount)
    }

    /// Keeps a mount that is lost only to be shown: its job and its mountpoint can be used anew. Of many the oldest is forgotten, and
    /// returned.
    func retire(_ id: MountID) -> MountActor? {
        guard let mount = mounts[id] else { return nil }
        free(mount)
        lost.append(id)
        guard lost.count > Self.lostLimit else { return nil }
        let oldest = mounts[lost[0]]
        remove(lost[0])
        return oldest
    }

    private func free(_ mount: MountActor) {
        users[mount.mountID] = nil
        if let first = queue.keys.min() { queue.removeValue(forKey: first)?.resume() }
        if mountpoints[mount.mountpoint.path] == mount.mountID { mountpoints[mount.mountpoint.path] = nil }
        if let job = mount.request.jobKey, jobs[job] == mount.mountID { jobs[job] = nil }
    }

    func mount(_ id: MountID) throws(SupervisorError) -> MountActor {
        guard let mount = mounts[id] else { throw SupervisorError(.notFound, "there is no mount \(id)") }
        return mount
    }

    func mount(job: String) throws(SupervisorError) -> MountActor {
        let id = jobs[job] ?? lost.last { mounts[$0]?.request.jobKey == job }
        guard let id, let mount = mounts[id] else {
            throw SupervisorError(.notFound, "there is no mount of job \(job)")
        }
        return mount
    }

    func all() -> [MountActor] {
        order.compactMap { mounts[$0] }
    }

    /// No mount is admitted any more.
    func stop() {
        stopping = true
        wakeAll()
    }
}

extension AdmissionMachine.Limits {
    init(_ configuration: SupervisorConfiguration) {
        mounts = configuration.maximumMounts == 0 ? nil : configuration.maximumMounts
        mountsPerUser = configuration.maximumMountsPerUser == 0 ? nil : configuration.maximumMountsPerUser
        queue = configuration.mountQueue
        freeBytes = configuration.minimumFreeBytes + configuration.upperStorage.reserved
        freeInodes = UInt64(max(0, configuration.minimumFreeInodes))
        freeMemory = configuration.minimumFreeMemory
    }
}
