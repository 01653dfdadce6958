import LinuxSystem

/// All mounts by id, job and mountpoint: the one place that decides whether a request is a new mount, the same again, or a conflict.
actor MountRegistry {
    private let configuration: SupervisorConfiguration
    private let makeMount: @Sendable (MountID, MountRequest, String, Mountpoint, Caller) -> MountActor
    private var mounts: [MountID: MountActor] = [:]
    /// In the order of creation.
    private var order: [MountID] = []
    private var jobs: [String: MountID] = [:]
    private var mountpoints: [String: MountID] = [:]
    private var stopping = false

    init(
        configuration: SupervisorConfiguration,
        makeMount: @escaping @Sendable (MountID, MountRequest, String, Mountpoint, Caller) -> MountActor
    ) {
        self.configuration = configuration
        self.makeMount = makeMount
    }

    var count: Int {
        mounts.count
    }

    /// The mount for a request: the one that its job has already, or a new one that is not started yet.
    func admit(_ request: MountRequest, caller: Caller) throws(SupervisorError) -> MountActor {
        if stopping { throw SupervisorError(.shuttingDown, "the supervisor is stopping") }
        let request = try RequestRules.normalised(request)
        if let job = request.jobKey, let id = jobs[job], let known = mounts[id] {
            guard known.request == request else {
                throw SupervisorError(
                    .conflict,
                    "job \(job) has a mount already, of another request: mount \(id) at \(known.mountpoint.path)")
            }
            return known
        }
        let origin = try RequestRules.origin(of: request, configuration)
        let id = MountID.random()
        let mountpoint = try RequestRules.mountpoint(of: request, id, configuration)
        if let other = mountpoints[mountpoint.path] {
            throw SupervisorError(.conflict, "\(mountpoint.path) is the mountpoint of mount \(other)")
        }
        let mount = makeMount(id, request, origin, mountpoint, caller)
        insert(mount)
        return mount
    }

    /// Takes in a mount of an earlier supervisor; false if its id, job or mountpoint is in use.
    func restore(_ mount: MountActor) -> Bool {
        let job = mount.request.jobKey
        guard mounts[mount.id] == nil, mountpoints[mount.mountpoint.path] == nil, job.map({ jobs[$0] == nil }) ?? true
        else { return false }
        insert(mount)
        return true
    }

    private func insert(_ mount: MountActor) {
        mounts[mount.id] = mount
        order.append(mount.id)
        mountpoints[mount.mountpoint.path] = mount.id
        if let job = mount.request.jobKey { jobs[job] = mount.id }
    }

    /// Forgets a mount that is gone.
    func remove(_ id: MountID) {
        guard let mount = mounts.removeValue(forKey: id) else { return }
        order.removeAll { $0 == id }
        if mountpoints[mount.mountpoint.path] == id { mountpoints[mount.mountpoint.path] = nil }
        if let job = mount.request.jobKey, jobs[job] == id { jobs[job] = nil }
    }

    func mount(_ id: MountID) throws(SupervisorError) -> MountActor {
        guard let mount = mounts[id] else { throw SupervisorError(.notFound, "there is no mount \(id)") }
        return mount
    }

    func mount(job: String) throws(SupervisorError) -> MountActor {
        guard let id = jobs[job], let mount = mounts[id] else {
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
    }
}
