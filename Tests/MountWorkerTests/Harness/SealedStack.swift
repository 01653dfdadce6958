import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import SealedImage
import WireFormat
import WorkerProtocol

/// A sealed snapshot of a `FakeTree` with the stack of a job's mount on it: the real image, the real layers, a real worker for the
/// trigger, and a store that is filled when the worker asks for it.
final class SealedStack {
    let tree: FakeTree
    let trigger: TestMount
    let store: FakeStore
    private let image: DetachedMount

    init(_ tree: FakeTree, timeout: Duration = .seconds(30)) throws {
        self.tree = tree
        let store = try FakeStore(tree)
        self.store = store
        let path = store.directory + "/image"
        let file = try File.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        _ = try SealedImage.write(tree.root, of: tree, time: 1_700_000_000, to: file.raw)
        let context = try FilesystemContext("erofs")
        try context.set("source", path)
        try context.set("ro")
        try context.create()
        image = try context.mount([.readOnly, .noSetuid, .noDevices])
        trigger = try TestMount(tree, timeout: timeout, form: .trigger)
        trigger.owner.onProvide { store.provide($0) }
    }

    /// The first worker, and what a supervisor does with it: without the probe a process that closes a file of a large object would wait
    /// for a worker.
    func start() throws -> TestWorker {
        let worker = try trigger.startWorker()
        _ = try Fd.contents(trigger.root, ".probe-4711")
        return worker
    }

    /// A new overlay, as every job has one.
    func overlay() throws -> DetachedMount {
        let layer = try Directory.open(store.directory + "/layer")
        let inbox = try Directory.open(store.directory + "/inbox")
        let fetch = try Directory.open(beneath: trigger.root, "t")
        let errors = try Directory.open(beneath: trigger.root, "e")
        let overlay = try FilesystemContext("overlay")
        try overlay.set("lowerdir+", fd: image.raw)
        try overlay.set("datadir+", fd: layer.raw)
        try overlay.set("datadir+", fd: fetch.raw)
        try overlay.set("datadir+", fd: inbox.raw)
        try overlay.set("datadir+", fd: errors.raw)
        try overlay.set("metacopy", "on")
        try overlay.set("redirect_dir", "on")
        try overlay.create()
        return try overlay.mount([.readOnly, .noSetuid, .noDevices])
    }

    /// Requests that the worker has answered.
    var served: UInt64 {
        trigger.memory.value(.served)
    }
}

/// The directories of a cache owner's store.
final class FakeStore: Sendable {
    let directory: String
    private let tree: FakeTree
    /// When objects were provided last.
    private let provided = Guarded<[ObjectID: Deadline]>([:])

    init(_ tree: FakeTree) throws {
        self.tree = tree
        var template = Array("/tmp/sealed-stack.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError(Errno.current, "mkdtemp") }
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for layer in ["layer", "inbox"] {
            for byte in 0..<256 {
                let hex = (byte < 16 ? "0" : "") + String(byte, radix: 16)
                try Directory.create("\(directory)/\(layer)/\(StoreLayout.objects)/\(hex)", mode: 0o700)
            }
        }
    }

    deinit {
        if let parent = try? Directory.open("/tmp") {
            try? TreeRemoval.remove(at: parent.raw, String(directory.dropFirst("/tmp/".count)))
        }
    }

    func path(_ id: ObjectID, in layer: String) -> String {
        "\(directory)/\(layer)/\(StoreLayout.objects)/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
    }

    /// Does what a cache owner does that has fetched the object.
    func provide(_ id: ObjectID) -> WorkerReply? {
        guard case .bytes(let bytes) = tree.blobs[id] else { return nil }
        let (object, link) = (path(id, in: "layer"), path(id, in: "inbox"))
        return provided.with { provided in
            guard (try? File.replace(object, with: bytes, mode: 0o444, durable: false)) != nil else { return nil }
            // At no moment without a link: another reader may be on the way to it.
            guard Glibc.link(object, link + ".new") == 0, rename(link + ".new", link) == 0 else { return nil }
            provided[id] = .now
            return .provided
        }
    }

    /// Takes an object away, as eviction does.
    ///
    /// - Parameter minimumAge: the link in the inbox stays for so long at least, for whoever is on the way to it.
    func evict(_ id: ObjectID, minimumAge: Duration = .zero) {
        // Not between the two steps of somebody who provides it, and no link that came after the look at its age.
        provided.with { provided in
            _ = unlink(path(id, in: "layer"))
            if provided[id]?.advanced(by: minimumAge).hasPassed ?? true { _ = unlink(path(id, in: "inbox")) }
        }
    }
}

extension FakeTree: TreeSource {
    func directory(_ id: ObjectID) throws(SealedImageError) -> PackedDirectory {
        guard let bytes = directories[id], let packed = try? PackedDirectory(bytes) else {
            throw .incomplete(directory: id)
        }
        return packed
    }

    func link(_ id: ObjectID) throws(SealedImageError) -> [UInt8] {
        guard case .bytes(let bytes) = blobs[id] else { throw .link(id) }
        return bytes
    }
}
