import CAntares
import GitObjects
public import LinuxSystem
import WireFormat

/// The memory of a mount that outlives its workers: a memfd of fixed, sealed size.
///
///     0        magic, version, sizes of the INIT pair
///     64       FUSE_INIT request as the kernel sent it     (at most 256 bytes)
///     320      FUSE_INIT reply as the supervisor gave it   (at most 256 bytes)
///     576      session parameters, length-prefixed         (at most 448 bytes)
///     1024     number of published blocks (one atomic word)
///     1088     reader turns, requests served, failures     (one cache line each)
///     2048     64 in-flight slots of 32 bytes, one for each reader thread
///     4096     block table, 64 bytes each
///
/// The supervisor writes the first kilobyte before the first worker sees it; the worker writes the rest. One worker at a time.
public final class SessionMemory: Sendable {
    static let magic: UInt64 = 0x3153_5345_5452_4e41
    static let version: UInt32 = 1
    static let initRequestOffset = 64
    static let initReplyOffset = 320
    static let initCapacity = 256
    static let parametersOffset = 576
    static let parametersCapacity = 448
    static let blockCountOffset = 1024
    static let countersOffset = 1088
    static let slotsOffset = 2048
    static let tableOffset = 4096

    /// Reader threads that have a slot.
    public static let slotCount = 64

    /// Directories that a mount can number; memory is only taken for those that were listed.
    public static let defaultBlockCapacity = 2 << 20

    private let memory: SharedMemory
    /// Blocks the table has room for.
    public let blockCapacity: Int

    /// Makes the memory of a new mount. The pair is the exact bytes exchanged with the kernel.
    public init(
        initRequest: [UInt8], initReply: [UInt8], parameters: SessionParameters,
        blockCapacity: Int = SessionMemory.defaultBlockCapacity
    ) throws(SystemError) {
        let encoded = Self.encode(parameters)
        guard initRequest.count <= Self.initCapacity, initReply.count <= Self.initCapacity,
            encoded.count <= Self.parametersCapacity
        else { throw SystemError(.overflow, "making a session memory") }
        memory = try SharedMemory(name: "antares-session", size: Self.tableOffset + blockCapacity * DirectoryBlock.size)
        self.blockCapacity = blockCapacity
        memory.base.storeBytes(of: Self.magic, as: UInt64.self)
        memory.base.storeBytes(of: Self.version, toByteOffset: 8, as: UInt32.self)
        memory.base.storeBytes(of: UInt32(initRequest.count), toByteOffset: 12, as: UInt32.self)
        memory.base.storeBytes(of: UInt32(initReply.count), toByteOffset: 16, as: UInt32.self)
        memory.base.storeBytes(of: UInt32(encoded.count), toByteOffset: 20, as: UInt32.self)
        store(initRequest, at: Self.initRequestOffset)
        store(initReply, at: Self.initReplyOffset)
        store(encoded, at: Self.parametersOffset)
        append(DirectoryBlock(base: DirectoryBlock.rootNode, count: 1, parent: 0, directory: parameters.root))
    }

    /// Maps the memory of a mount that exists. EPROTO if it is not one of ours.
    public init(received file: consuming OwnedFD) throws(SystemError) {
        let memory = try SharedMemory(received: file, minimum: Self.tableOffset + DirectoryBlock.size, writable: true)
        guard memory.base.load(as: UInt64.self) == Self.magic,
            memory.base.load(fromByteOffset: 8, as: UInt32.self) == Self.version
        else { throw SystemError(.protocolError, "mapping a session memory", "", detail: "wrong magic or version") }
        blockCapacity = (memory.size - Self.tableOffset) / DirectoryBlock.size
        self.memory = memory
        guard blockCount <= blockCapacity, (try? decodeParameters()) != nil else {
            throw SystemError(.protocolError, "mapping a session memory", "", detail: "inconsistent")
        }
    }

    /// The memfd, to be handed to a worker.
    public var fd: SharedFD {
        memory.fd
    }

    public var initRequest: [UInt8] {
        loadBytes(at: Self.initRequestOffset, count: sizeField(12, Self.initCapacity))
    }

    public var initReply: [UInt8] {
        loadBytes(at: Self.initReplyOffset, count: sizeField(16, Self.initCapacity))
    }

    /// What the supervisor wrote for the worker.
    public func parameters() throws(SystemError) -> SessionParameters {
        do {
            return try decodeParameters()
        } catch {
            throw SystemError(.protocolError, "reading a session memory", "", detail: "\(error)")
        }
    }

    // MARK: Directory blocks

    /// Published blocks; grows only.
    public var blockCount: Int {
        Int(clamping: ant_load_acquire(word(Self.blockCountOffset)))
    }

    /// A published block. `index` is below `blockCount`.
    public func block(_ index: Int) -> DirectoryBlock {
        precondition(index >= 0 && index < blockCapacity)
        return DirectoryBlock(loading: memory.base + Self.tableOffset + index * DirectoryBlock.size)
    }

    /// Publishes a block; false if the table is full. Only the worker's thread that holds its table lock calls this.
    @discardableResult
    public func append(_ block: DirectoryBlock) -> Bool {
        let index = blockCount
        guard index < blockCapacity else { return false }
        block.store(at: memory.base + Self.tableOffset + index * DirectoryBlock.size)
        ant_store_release(word(Self.blockCountOffset), UInt64(index + 1))
        return true
    }

    // MARK: Counters and slots

    /// Counters that survive workers.
    public enum Counter: Int, Sendable, CaseIterable {
        case readerTurns = 0
        case served = 1
        case failures = 2
    }

    public func add(_ counter: Counter, _ count: UInt64 = 1) {
        _ = ant_add_relaxed(word(Self.countersOffset + counter.rawValue * 64), count)
    }

    public func value(_ counter: Counter) -> UInt64 {
        ant_load_acquire(word(Self.countersOffset + counter.rawValue * 64))
    }

    /// Notes what reader thread `slot` is working on; unique 0 means nothing.
    public func setInFlight(slot: Int, _ request: InFlightRequest) {
        let base = Self.slotsOffset + (slot % Self.slotCount) * 32
        ant_store_release(word(base), request.unique)
        ant_store_release(word(base + 8), UInt64(request.opcode))
        ant_store_release(word(base + 16), request.node)
    }

    public func inFlight() -> [InFlightRequest] {
        (0..<Self.slotCount).compactMap { slot in
            let base = Self.slotsOffset + slot * 32
            let unique = ant_load_acquire(word(base))
            guard unique != 0 else { return nil }
            return InFlightRequest(
                unique: unique, opcode: UInt32(truncatingIfNeeded: ant_load_acquire(word(base + 8))),
                node: ant_load_acquire(word(base + 16)))
        }
    }

    // MARK: Fields

    private func word(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (memory.base + offset).assumingMemoryBound(to: UInt64.self)
    }

    private func sizeField(_ offset: Int, _ limit: Int) -> Int {
        min(Int(memory.base.load(fromByteOffset: offset, as: UInt32.self)), limit)
    }

    private func store(_ bytes: [UInt8], at offset: Int) {
        bytes.withUnsafeBytes { (memory.base + offset).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }

    private func loadBytes(at offset: Int, count: Int) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: memory.base + offset, count: count))
    }

    private static func encode(_ parameters: SessionParameters) -> [UInt8] {
        var writer = WireWriter()
        writer.put(parameters.root)
        writer.put(parameters.time)
        writer.put(parameters.uid)
        writer.put(parameters.gid)
        writer.put(String(parameters.probeName.prefix(63)))
        writer.put(parameters.requestTimeout)
        writer.put(parameters.minimumRate)
        return writer.bytes
    }

    private func decodeParameters() throws(WireError) -> SessionParameters {
        var reader = WireReader(
            loadBytes(at: Self.parametersOffset, count: sizeField(20, Self.parametersCapacity)))
        return SessionParameters(
            root: try reader.objectID(), time: try reader.int64(), uid: try reader.uint32(), gid: try reader.uint32(),
            probeName: try reader.string(), requestTimeout: try reader.uint64(), minimumRate: try reader.uint64())
    }
}
