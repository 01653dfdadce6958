import Foundation
import JSONWriting
import LinuxSystem

/// The records of all mounts: `run_dir/mounts/<id>.json`.
final class RecordStore: Sendable {
    private let directory: String
    /// The kernel's name for the time since the last boot (proc(5), boot_id): a record of another boot names nothing that lives.
    let bootID: String

    init(runDirectory: String) throws(SystemError) {
        directory = runDirectory + "/mounts"
        try Directory.create(directory, mode: 0o700)
        bootID = String(try File.text("/proc/sys/kernel/random/boot_id").prefix { $0 != "\n" })
    }

    /// Replaces the record of a mount, in one step. The run directory is memory, so nothing is synced.
    func write(_ record: MountRecord) throws(SystemError) {
        guard let text = try? JSONText.bytes(of: record) else {
            throw SystemError(.invalidArgument, "writing a mount record", record.id)
        }
        try File.replace(path(record.id), with: text, durable: false)
    }

    /// As `write`, if there is a record; what keeps it from being written is only to be told.
    func attempt(_ record: MountRecord?) -> SystemError? {
        guard let record else { return nil }
        do throws(SystemError) {
            try write(record)
            return nil
        } catch {
            return error
        }
    }

    func remove(_ id: MountID) {
        try? File.remove(path(id.rawValue))
    }

    /// All records; a file that is none is moved aside and reported, it costs no other mount.
    func readAll(log: any SupervisorLog) throws(SystemError) -> [MountRecord] {
        var records: [MountRecord] = []
        for name in try Directory.names(directory) {
            let name = String(decoding: name, as: UTF8.self)
            guard name.hasSuffix(".json") else { continue }
            let path = directory + "/" + name
            let bytes = try File.contents(path)
            guard let record = try? JSONDecoder().decode(MountRecord.self, from: Data(bytes)),
                record.version == MountRecord.version, MountID(rawValue: record.id) != nil
            else {
                log.log(.error, "a mount record cannot be read; it is kept as .damaged", [("file", path)])
                rename(path, path + ".damaged")
                continue
            }
            records.append(record)
        }
        return records.sorted { $0.createdAt < $1.createdAt }
    }

    /// The mounts that have a record.
    func ids() throws(SystemError) -> [MountID] {
        try Directory.names(directory).compactMap { name in
            let name = String(decoding: name, as: UTF8.self)
            return name.hasSuffix(".json") ? MountID(rawValue: String(name.dropLast(5))) : nil
        }
    }

    func path(_ id: String) -> String {
        "\(directory)/\(id).json"
    }
}
