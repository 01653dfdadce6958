import CFUSE
import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import WorkerProtocol

/// Turns answers into replies in the kernel's form, and counts them.
struct Responder: Sendable {
    private let memory: SessionMemory
    private let parameters: SessionParameters
    private let buffers: ReplyBuffers
    private let log: FailureLog

    init(memory: SessionMemory, parameters: SessionParameters, buffers: ReplyBuffers, log: FailureLog) {
        self.memory = memory
        self.parameters = parameters
        self.buffers = buffers
        self.log = log
    }

    func send(_ answer: Answer, to reply: consuming FuseReply) {
        memory.add(.served)
        switch answer {
        case .entry(let attributes):
            reply.entry(attributes.map { entry($0) } ?? absence)
        case .absentNow:
            reply.error(.notFound)
        case .attributes(let attributes):
            reply.attributes(status(attributes), timeout: attributes.isCacheable ? FuseReply.forever : 0)
        case .link(let target):
            copy(target[...], to: reply)
        case .data(.bytes(let bytes), let offset, let count):
            copy(bytes.dropFirst(Int(clamping: offset)).prefix(count), to: reply)
        case .data(.file(let file, _), let offset, let count):
            contents(of: file, offset, count, to: reply)
        case .listing(let listing):
            list(listing, to: reply)
        case .statistics(let files):
            reply.statistics(statistics(files))
        case .failure(let failure):
            fail(failure, reply)
        }
    }

    private func fail(_ failure: Failure, _ reply: consuming FuseReply) {
        if failure.counts {
            memory.add(.failures)
            memory.note(failure.kind)
            log.note(failure)
        }
        reply.error(failure.errno)
    }

    func noteDropped() {
        memory.add(.served)
        memory.add(.failures)
        memory.note(.dropped)
        log.note(Failure(.ioError, "a request was dropped", .dropped))
    }

    // MARK: Contents

    private func copy(_ bytes: ArraySlice<UInt8>, to reply: consuming FuseReply) {
        if bytes.isEmpty { return reply.bytes(UnsafeRawBufferPointer(start: nil, count: 0)) }
        guard let buffer = try? buffers.take(bytes.count) else { return fail(Self.noMemory, reply) }
        defer { buffers.giveBack(buffer) }
        buffer.bytes.copyBytes(from: bytes)
        reply.bytes(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<bytes.count]))
    }

    private func contents(of file: SharedFD, _ offset: UInt64, _ count: Int, to reply: consuming FuseReply) {
        guard let buffer = try? buffers.take(count) else { return fail(Self.noMemory, reply) }
        defer { buffers.giveBack(buffer) }
        let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
        do {
            // A short reply would be taken for the end of the file and filled up with zeros.
            guard try File.read(file.raw, into: wanted, at: Int64(clamping: offset)) == count else {
                return fail(Failure(.ioError, "an object file is shorter than its blob", .damaged), reply)
            }
            reply.bytes(UnsafeRawBufferPointer(wanted))
        } catch {
            fail(Failure(.ioError, error.description, .storage), reply)
        }
    }

    private static let noMemory = Failure(.ioError, "no resident memory for a reply", .memory)

    // MARK: Directories

    private func list(_ listing: Listing, to reply: consuming FuseReply) {
        let size = min(listing.count, ReplyBuffers.largeSize)
        guard let buffer = try? buffers.take(size) else { return fail(Self.noMemory, reply) }
        defer { buffers.giveBack(buffer) }
        let request = reply.raw
        var used = 0
        var position = listing.offset
        while position < listing.total {
            let room = size - used
            let next = buffer.bytes.baseAddress!.advanced(by: used).assumingMemoryBound(to: CChar.self)
            let length = write(listing, position, request, next, room)
            if length > room { break }
            used += length
            position += 1
        }
        if used == 0 && position < listing.total {
            return fail(Failure(.invalidArgument, "no room for one entry"), reply)
        }
        reply.bytes(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<used]))
    }

    /// Writes one entry if there is room; the bytes it needs.
    private func write(
        _ listing: Listing, _ position: UInt64, _ request: fuse_req_t, _ next: UnsafeMutablePointer<CChar>, _ room: Int
    ) -> Int {
        let following = off_t(position + 1)
        func put(_ name: UnsafePointer<CChar>, _ attributes: Attributes, linked: Bool) -> Int {
            if listing.withAttributes {
                var entry = entry(attributes)
                // Node 0: the kernel takes the name and asks for the rest when it needs it.
                if !linked { entry.ino = 0 }
                return fuse_add_direntry_plus(request, next, room, name, &entry, following)
            }
            var status = status(attributes)
            return fuse_add_direntry(request, next, room, name, &status, following)
        }
        switch position {
        case 0: return put(".", Attributes(node: listing.node, mode: Attributes.directoryMode, size: 0), linked: false)
        case 1:
            return put("..", Attributes(node: listing.parent, mode: Attributes.directoryMode, size: 0), linked: false)
        default:
            guard let entries = listing.entries else { return room + 1 }
            let index = Int(position - 2)
            let entry = entries[index]
            let name = entries.name(at: index).baseAddress!.assumingMemoryBound(to: CChar.self)
            return put(
                name, Attributes(node: listing.base + UInt64(index), entry),
                linked: entry.isComplete || !entry.mode.hasBlob)
        }
    }

    // MARK: Kernel structures

    private var absence: fuse_entry_param {
        var entry = fuse_entry_param()
        entry.entry_timeout = FuseReply.forever
        return entry
    }

    private func entry(_ attributes: Attributes) -> fuse_entry_param {
        var entry = fuse_entry_param()
        entry.ino = attributes.node
        // The kernel's own root has generation 0. For all others one number does, because no node id is used twice in a mount.
        entry.generation = attributes.node == DirectoryBlock.rootNode ? 0 : 1
        entry.attr = status(attributes)
        if attributes.isCacheable {
            entry.attr_timeout = FuseReply.forever
            entry.entry_timeout = FuseReply.forever
        }
        return entry
    }

    private func status(_ attributes: Attributes) -> stat {
        var status = stat()
        status.st_ino = UInt(attributes.node)
        status.st_mode = attributes.mode
        // One for directories too: the number of subdirectories is not known, and 1 tells find(1) not to count on it, as btrfs does.
        status.st_nlink = 1
        status.st_uid = parameters.uid
        status.st_gid = parameters.gid
        status.st_size = off_t(clamping: attributes.size)
        status.st_blksize = 4096
        status.st_blocks = blkcnt_t(clamping: (attributes.size / 512) + (attributes.size % 512 == 0 ? 0 : 1))
        let time = Int(attributes.isChanged ? parameters.changeTime : parameters.time)
        status.st_mtim.tv_sec = time
        status.st_ctim.tv_sec = time
        status.st_atim.tv_sec = time
        return status
    }

    private func statistics(_ files: UInt64) -> statvfs {
        var statistics = statvfs()
        statistics.f_bsize = 4096
        statistics.f_frsize = 4096
        statistics.f_files = UInt(files)
        statistics.f_namemax = 255
        return statistics
    }
}
