import LinuxSystem
import WorkerProtocol

/// The service manager's store of descriptors (systemd.service(5), FileDescriptorStoreMax=): it gets copies while a mount lives and gives
/// them back at the start of the next supervisor. Without a service manager nothing is kept.
final class DescriptorStore: Sendable {
    private let inherited: Guarded<[String: SharedFD]>

    init(_ descriptors: [ServiceManager.NamedDescriptor] = ServiceManager.inheritedDescriptors()) {
        inherited = Guarded(
            Dictionary(descriptors.map { ($0.name, $0.fd) }, uniquingKeysWith: { first, _ in first }))
    }

    func device(_ id: MountID) throws(SystemError) -> OwnedFD {
        try descriptor(Self.deviceName(id))
    }

    func session(_ id: MountID) throws(SystemError) -> OwnedFD {
        try descriptor(Self.sessionName(id))
    }

    /// In force as soon as it is sent: a socket delivers what was sent to it even when the sender has died.
    func deposit(_ id: MountID, _ custody: Custody) {
        // What came from there is still there.
        let known = inherited.with { $0[Self.deviceName(id)] != nil && $0[Self.sessionName(id)] != nil }
        if known { return }
        ServiceManager.store(custody.raw, name: Self.deviceName(id))
        ServiceManager.store(custody.memory.fd.raw, name: Self.sessionName(id))
    }

    func release(_ id: MountID) {
        for name in [Self.deviceName(id), Self.sessionName(id)] {
            _ = inherited.with { $0.removeValue(forKey: name) }
            ServiceManager.removeStored(name: name)
        }
    }

    /// Has everything of ours removed that came with the start and belongs to no mount.
    func releaseAll(except kept: Set<MountID>) {
        let names = Set(kept.flatMap { [Self.deviceName($0), Self.sessionName($0)] })
        for name in inherited.with({ Array($0.keys) }) where name.hasPrefix(Self.prefix) && !names.contains(name) {
            _ = inherited.with { $0.removeValue(forKey: name) }
            ServiceManager.removeStored(name: name)
        }
    }

    /// The copies of this process are closed: the mounts' own are in use from now on.
    func closeInherited() {
        inherited.with { $0 = [:] }
    }

    private func descriptor(_ name: String) throws(SystemError) -> OwnedFD {
        guard let fd = inherited.with({ $0[name] }) else {
            throw SystemError(.noData, "looking for", name, detail: "it gave nothing back")
        }
        return try fd.duplicate()
    }

    private static let prefix = "antares-"

    static func deviceName(_ id: MountID) -> String { "\(prefix)device-\(id)" }
    static func sessionName(_ id: MountID) -> String { "\(prefix)session-\(id)" }
}
