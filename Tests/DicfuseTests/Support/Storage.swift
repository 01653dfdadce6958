import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem

@testable import Dicfuse

/// Damages a file, whatever its mode says.
func overwrite(_ path: String, _ bytes: [UInt8], at offset: Int = 0) throws {
    chmod(path, 0o644)
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.seek(toOffset: UInt64(offset))
    try file.write(contentsOf: Data(bytes))
    try file.close()
}

/// A repository of many files of known contents, and ways to read all of it through an owner.
struct Library {
    let world: World
    /// Directories by path, then files by name.
    let files: [String: [UInt8]]

    /// - Parameter sizes: of the files, which are spread over directories of eight.
    init(_ dialect: StubOrigin.Dialect = .antares, seed: UInt64 = 1, sizes: [Int]) throws {
        var random = Seeded(seed)
        var files: [String: [UInt8]] = [:]
        for (number, size) in sizes.enumerated() {
            files["d\(number / 8)/f\(number)"] = random.bytes(size)
        }
        self.files = files
        world = try World(dialect, files.mapValues { .bytes($0) })
    }

    /// The commit's root, in a form that any client of the store can start with.
    func root(_ control: Client) throws -> ObjectID {
        try control.pin(world.commit.hex).root
    }

    /// Reads everything; the paths of files that could not be read or that had other bytes.
    func wrong(_ worker: Client, _ root: ObjectID) throws -> [String] {
        var wrong: [String] = []
        var seen = 0
        let top = try worker.directory(root)
        for item in top.items where item.entry.mode == .directory {
            let name = String(decoding: item.name, as: UTF8.self)
            let directory = try worker.directory(item.entry.id)
            for (index, file) in directory.items.enumerated() {
                seen += 1
                let path = name + "/" + String(decoding: file.name, as: UTF8.self)
                var size = file.entry.size
                if !file.entry.isComplete { size = try worker.stat(item.entry.id, index).size }
                let bytes = try? worker.contents(file.entry.id, size: size)
                if bytes != files[path] { wrong.append(path) }
            }
        }
        if seen != files.count { wrong.append("\(seen) files in place of \(files.count)") }
        return wrong
    }

    func id(_ path: String) -> ObjectID {
        ObjectID.hash(blob: files[path] ?? [])
    }

    func object(_ id: ObjectID) -> String {
        "\(world.cache)/main/layer/.GIT/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
    }
}

extension OwnerHarness {
    /// Until the index has everything that was fetched, and sweeps and evictions have ended.
    func settle() {
        // What the writer has stored may begin an eviction, and what that takes is the writer's next work: nothing may be at work
        // in two looks, one after the other.
        var quiet = 0
        while quiet < 2 {
            quiet = isWriting || isCleaning ? 0 : quiet + 1
            sched_yield()
        }
    }

    private var isWriting: Bool {
        server.status.origins.contains { $0.flights > 0 || $0.isBusy }
    }

    private var isCleaning: Bool {
        let status = server.status
        return status.eviction.isRunning || status.sweep.isRunning
    }
}
