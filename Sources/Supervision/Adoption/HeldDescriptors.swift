import Glibc
import LinuxSystem
import WorkerProtocol

/// Where a new supervisor got the descriptors of a mount from, in the order in which they are asked.
enum CustodySource: String, Sendable {
    /// Copied out of the worker that serves the mount.
    case worker
    /// The copies that the cache owner keeps.
    case escrow
    /// Copied out of a cache owner that did not answer, before it was ended.
    case salvage
    /// The copies that the service manager keeps.
    case serviceManager = "service_manager"
}

/// The descriptors of a mount of an earlier supervisor.
struct HeldDescriptors: Sendable {
    let cache: CacheOwner
    let store: DescriptorStore

    /// The custody of a recorded mount from the first holder that has it. Throws ENODATA, naming what each of them lacked, if none has.
    func custody(
        of record: MountRecord, id: MountID, worker: ChildProcess?
    ) async throws(SystemError) -> (custody: Custody, source: CustodySource) {
        var reasons: [String] = []
        do throws(SystemError) {
            guard let worker else { throw SystemError(.noSuchProcess, "asking the worker", "", detail: "it ended") }
            return (try Self.custody(from: worker, of: record), .worker)
        } catch {
            reasons.append("worker: \(error.detail.isEmpty ? error.description : error.detail)")
        }
        do throws(SystemError) {
            let fds = try await cache.reclaim(id)
            return (try Self.custody(fds.take(0), fds.take(1), of: record), .escrow)
        } catch {
            reasons.append("cache owner: \(error.detail.isEmpty ? error.description : error.detail)")
        }
        if let salvage = await cache.salvage {
            do throws(SystemError) {
                let (device, session) = salvage.descriptors(of: record)
                return (try Self.custody(device?.duplicate(), session?.duplicate(), of: record), .salvage)
            } catch {
                reasons.append("cache owner that was ended: \(error.detail.isEmpty ? error.description : error.detail)")
            }
        }
        do throws(SystemError) {
            return (try Self.custody(store.device(id), store.session(id), of: record), .serviceManager)
        } catch {
            reasons.append("service manager: \(error.detail.isEmpty ? error.description : error.detail)")
        }
        throw SystemError(
            .noData, "looking for the FUSE connection", "",
            detail: "nobody holds it: " + reasons.joined(separator: "; "))
    }

    /// What the links of /proc/PID/fd show.
    static let device = "/dev/fuse"
    static let session = "/memfd:antares-session (deleted)"

    /// Duplicates of what a worker holds (pidfd_getfd(2)): it needs no help from the worker, so it works on one that is stopped or hangs.
    static func custody(from worker: ChildProcess, of record: MountRecord) throws(SystemError) -> Custody {
        try custody(
            duplicate(of: device, in: worker), duplicate(of: session, in: worker),
            of: record)
    }

    /// Checks that the descriptors are those of the recorded mount, whoever sent them, and that the connection lives.
    private static func custody(
        _ device: consuming OwnedFD?, _ session: consuming OwnedFD?, of record: MountRecord
    ) throws(SystemError) -> Custody {
        guard let device, let session else { throw SystemError(.noData, "looking for /dev/fuse and the session") }
        let memory = try SessionMemory(keeping: session)
        let connection = try FuseConnection(of: device.raw)
        guard connection.number == record.connection, memory.personality == record.personality else {
            throw SystemError(.stale, "checking what is held", "", detail: "it belongs to another mount")
        }
        let custody = Custody(device: SharedFD(device), memory: memory, connection: connection)
        guard custody.isConnected else { throw SystemError(.notConnected, "checking the FUSE connection") }
        return custody
    }

    private static func duplicate(of target: String, in process: ChildProcess) throws(SystemError) -> OwnedFD {
        let directory = "/proc/\(process.pid)/fd"
        for name in try Directory.names(directory) {
            guard let number = Int32(String(decoding: name, as: UTF8.self)) else { continue }
            if (try? File.linkTarget("\(directory)/\(number)")) == target { return try process.duplicateFD(number) }
        }
        throw SystemError(.noData, "looking for \(target)", directory)
    }
}
