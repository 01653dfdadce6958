import CAntares
import GitObjects
public import LinuxSystem
import WireFormat

/// The memory of a mount that outlives its workers: a memfd of fixed, sealed size.
///
///     0        magic, layout, sizes of the INIT pair and of the parameters, personality
///     64       FUSE_INIT request as the kernel sent it     (at most 256 bytes)
///     320      FUSE_INIT reply as the supervisor gave it   (at most 256 bytes)
///     576      session parameters, length-prefixed         (at most 448 bytes)
///     1024     number of published blocks (one atomic word)
///     1032     whether the mount is given up
///     1040     how long a request may wait before it is counted as slow
///     1048     where the statistics are; 0 for none
///     1088     counters                                    (one cache line each)
///     1600     27 judged requests of 16 bytes
///     2048     64 in-flight slots of 32 bytes: 32 for the reader threads, 32 for the control thread
///     4096     block table, 64 bytes each
///     behind   statistics (`SessionMemory+Statistics`)
///
/// The supervisor writes the first kilobyte before the first worker sees it, and the judged requests while no worker serves; the worker
/// writes the rest. One worker at a time. The first kilobyte is the same in every layout, so that a supervisor can keep a mount whose session
/// it could not serve.
public final class SessionMemory: Sendable {
    static let magic: UInt64 = 0x3153_5345_5452_4e41
    /// Raised with every change of the parameters' encoding or beyond the first kilobyte.
    public static let currentLayout: UInt32 = 2
    static let personalityOffset = 24
    static let initRequestOffset = 64
    static let initReplyOffset = 320
    static let initCapacity = 256
    static let parametersOffset = 576
    static let parametersCapacity = 448
    static let blockCountOffset = 1024
    static let quarantineOffset = 1032
    static let slowLimitOffset = 1040
    static let statisticsOffset = 1048
    static let countersOffset = 1088
    static let slotsOffset = 2048
    static let tableOffset = 4096

    public static let slotCount = 64
    /// The slots of the reader threads.
    public static let readerSlots = 0..<32
    /// The slots of the control thread: for the requests that one answer of the cache owner lets go on.
    public static let controlSlots = 32..<64

    /// Directories that a mount can number; memory is only taken for those that were listed.
    public static let defaultBlockCapacity = 2 << 20

    private let memory: SharedMemory
    /// Blocks the table has room for.
    public let blockCapacity: Int
    /// Which layout it has.
    public let layout: UInt32
    /// Where the statistics are; nil in the memory of an earlier build.
    let statistics: Int?

    /// Makes the memory of a new mount. The pair is the exact bytes exchanged with the kernel.
    public init(
        initRequest: [UInt8], initReply: [UInt8], parameters: SessionParameters,
        blockCapacity: Int = SessionMemory.defaultBlockCapacity
    ) throws(SystemError) {
        let encoded = Self.encode(parameters)
        guard initRequest.count <= Self.initCapacity, initReply.count <= Self.initCapacity,
            encoded.count <= Self.parametersCapacity
        else { throw SystemError(.overflow, "making a session memory") }
        let tableEnd = Self.tableOffset + blockCapacity * DirectoryBlock.size
        memory = try SharedMemory(name: "antares-session", size: tableEnd + Self.statisticsSize)
        self.blockCapacity = blockCapacity
        layout = Self.currentLayout
        statistics = tableEnd
        memory.base.storeBytes(of: Self.magic, as: UInt64.self)
        memory.base.storeBytes(of: Self.currentLayout, toByteOffset: 8, as: UInt32.self)
        memory.base.storeBytes(of: UInt32(initRequest.count), toByteOffset: 12, as: UInt32.self)
        memory.base.storeBytes(of: UInt32(initReply.count), toByteOffset: 16, as: UInt32.self)
        memory.base.storeBytes(of: UInt32(encoded.count), toByteOffset: 20, as: UInt32.self)
        store(initRequest, at: Self.initRequestOffset)
        store(initReply, at: Self.initReplyOffset)
        store(encoded, at: Self.parametersOffset)
        memory.base.storeBytes(of: computedPersonality, toByteOffset: Self.personalityOffset, as: UInt64.self)
        memory.base.storeBytes(of: UInt64(tableEnd), toByteOffset: Self.statisticsOffset, as: UInt64.self)
        append(DirectoryBlock(base: DirectoryBlock.rootNode, count: 1, parent: 0, directory: parameters.root))
    }

    /// Maps the memory of a mount that exists, to serve it. EPROTO if it is not one of ours, has another layout, or was not left as the
    /// supervisor wrote it.
    public convenience init(received file: consuming OwnedFD) throws(SystemError) {
        try self.init(keeping: file)
        guard layout == Self.currentLayout else {
            throw SystemError(
                .protocolError, "mapping a session memory", "",
                detail: "layout \(layout) instead of \(Self.currentLayout)")
        }
    }

    /// Maps the memory of a mount that exists, to keep it for whoever can serve it. EPROTO if it is not one of ours or was not left as the
    /// supervisor wrote it. What lies beyond the first kilobyte of another layout shows as empty.
    public init(keeping file: consuming OwnedFD) throws(SystemError) {
        let memory = try SharedMemory(received: file, minimum: Self.tableOffset + DirectoryBlock.size, writable: true)
        guard memory.base.load(as: UInt64.self) == Self.magic else {
            throw SystemError(.protocolError, "mapping a session memory", "", detail: "wrong magic")
        }
        layout = memory.base.load(fromByteOffset: 8, as: UInt32.self)
        statistics = layout == Self.currentLayout ? Self.findStatistics(memory) : nil
        blockCapacity = ((statistics ?? memory.size) - Self.tableOffset) / DirectoryBlock.size
        self.memory = memory
        guard personality == computedPersonality else {
            throw SystemError(.protocolError, "mapping a session memory", "", detail: "the personality does not match")
        }
        guard layout != Self.currentLayout || (blockCount <= blockCapacity && (try? decodeParameters()) != nil) else {
            throw SystemError(.protocolError, "mapping a session memory", "", detail: "inconsistent")
        }
    }

    /// Nil too if a worker of an earlier build, to which they are table, has filled the table up to there.
    private static func findStatistics(_ memory: borrowing SharedMemory) -> Int? {
        let place = memory.size - statisticsSize
        guard place > tableOffset, place % DirectoryBlock.size == 0,
            memory.base.load(fromByteOffset: statisticsOffset, as: UInt64.self) == UInt64(place),
            memory.base.load(fromByteOffset: blockCountOffset, as: UInt64.self)
                <= UInt64((place - tableOffset) / DirectoryBlock.size)
        else { return nil }
        return place
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

    // MARK: Personality

    /// A checksum of all that a worker must agree with to serve the mount: layout, FUSE_INIT as the kernel sent it, the reply it got, and the
    /// parameters. Written with the first kilobyte. It also names the mount, because the probe's name is random.
    public var personality: UInt64 {
        memory.base.load(fromByteOffset: Self.personalityOffset, as: UInt64.self)
    }

    /// Whether workers of this build can serve the mount: they know the layout and would have answered the kernel the same.
    public var isServable: Bool {
        guard layout == Self.currentLayout, let reply = try? FuseHandshake.reply(to: initRequest) else { return false }
        return reply == initReply
    }

    /// FNV-1a, 64 bits: it is against mistakes, not against an attacker, who could write both.
    private var computedPersonality: UInt64 {
        var sum: UInt64 = 0xcbf2_9ce4_8422_2325
        let parameters = loadBytes(at: Self.parametersOffset, count: sizeField(20, Self.parametersCapacity))
        let head = loadBytes(at: 8, count: 16)
        for part in [head, initRequest, initReply, parameters] {
            for byte in part { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return sum
    }

    // MARK: Directory blocks

    /// Published blocks; grows only.
    public var blockCount: Int {
        layout == Self.currentLayout ? Int(clamping: ant_load_acquire(word(Self.blockCountOffset))) : 0
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
        /// Requests that the kernel sent again.
        case resent = 3
        /// Requests that were refused because they had killed workers.
        case refused = 4
        /// Requests that waited for longer than `slowLimit` until they were answered.
        case slow = 5
        /// Lines of workers' logs that were left out or that nobody took.
        case unlogged = 6
        /// Files and directories that came before anybody asked for them.
        case broughtAhead = 7
        /// Those of them that were then wanted.
        case usedAhead = 8

        /// Each has a cache line of its own, but for the last two, which are written together.
        fileprivate var offset: Int {
            SessionMemory.countersOffset
                + (self == .usedAhead ? Self.broughtAhead.rawValue * 64 + 8 : rawValue * 64)
        }
    }

    public func add(_ counter: Counter, _ count: UInt64 = 1) {
        _ = ant_add_relaxed(word(counter.offset), count)
    }

    public func value(_ counter: Counter) -> UInt64 {
        layout == Self.currentLayout ? ant_load_acquire(word(counter.offset)) : 0
    }

    /// Notes what the thread that has `slot` is working on, and since when, in nanoseconds of CLOCK_MONOTONIC. The number comes last: a worker
    /// that dies half-way accuses nobody.
    public func setInFlight(slot: Int, _ request: InFlightRequest, since start: UInt64 = 0) {
        let base = Self.slotsOffset + (slot % Self.slotCount) * 32
        if request.unique != 0 {
            ant_store_release(word(base + 8), UInt64(request.opcode))
            ant_store_release(word(base + 16), request.node)
            ant_store_release(word(base + 24), start)
        }
        ant_store_release(word(base), request.unique)
    }

    /// What the thread that has `slot` is working on; nil for nothing.
    public func inFlight(slot: Int) -> InFlightRequest? {
        let base = Self.slotsOffset + (slot % Self.slotCount) * 32
        let unique = ant_load_acquire(word(base))
        guard unique != 0 else { return nil }
        return InFlightRequest(
            unique: unique, opcode: UInt32(truncatingIfNeeded: ant_load_acquire(word(base + 8))),
            node: ant_load_acquire(word(base + 16)))
    }

    /// Since when that has been in a worker's hands; nil for nothing, 0 if it is not known.
    public func start(slot: Int) -> UInt64? {
        let base = Self.slotsOffset + (slot % Self.slotCount) * 32
        return ant_load_acquire(word(base)) == 0 ? nil : ant_load_acquire(word(base + 24))
    }

    /// Everything that is being worked on, by slot.
    public func inFlight() -> [Int: InFlightRequest] {
        var found: [Int: InFlightRequest] = [:]
        guard layout == Self.currentLayout else { return found }
        for slot in 0..<Self.slotCount { found[slot] = inFlight(slot: slot) }
        return found
    }

    /// Forgets what was being worked on, but for since when: for the supervisor, when the worker has ended. The next worker gets it again.
    public func clearInFlight() {
        guard layout == Self.currentLayout else { return }
        for slot in 0..<Self.slotCount {
            if let request = inFlight(slot: slot), let start = start(slot: slot), start != 0 {
                _ = noteWaiting(request.unique, since: start)
            }
            setInFlight(slot: slot, .none)
            // Workers of an earlier build leave the word as it is.
            ant_store_release(word(Self.slotsOffset + slot * 32 + 24), 0)
        }
    }

    /// Whether the supervisor gave the mount up: a later one goes on from there.
    public var isQuarantined: Bool {
        get { layout == Self.currentLayout && ant_load_acquire(word(Self.quarantineOffset)) != 0 }
        set {
            if layout == Self.currentLayout { ant_store_release(word(Self.quarantineOffset), newValue ? 1 : 0) }
        }
    }

    /// Nanoseconds; 0 for none. The supervisor's to change at any time.
    public var slowLimit: UInt64 {
        get { layout == Self.currentLayout ? ant_load_acquire(word(Self.slowLimitOffset)) : 0 }
        set { if layout == Self.currentLayout { ant_store_release(word(Self.slowLimitOffset), newValue) } }
    }

    // MARK: Fields

    func word(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
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
        writer.put(parameters.form.rawValue)
        writer.put(parameters.changeTime)
        return writer.bytes
    }

    private func decodeParameters() throws(WireError) -> SessionParameters {
        var reader = WireReader(
            loadBytes(at: Self.parametersOffset, count: sizeField(20, Self.parametersCapacity)))
        var parameters = SessionParameters(
            root: try reader.objectID(), time: try reader.int64(), uid: try reader.uint32(), gid: try reader.uint32(),
            probeName: try reader.string(), requestTimeout: try reader.uint64(), minimumRate: try reader.uint64())
        guard let form = SessionParameters.Form(rawValue: try reader.uint8()) else { throw .invalid("form") }
        parameters.form = form
        parameters.changeTime = try reader.int64()
        return parameters
    }
}
