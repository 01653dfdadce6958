/// Reads a stream of object frames from chunks of any size.
///
/// Blobs pass through; trees are collected, so that memory is bounded by `treeLimit` whatever the stream announces, or pass
/// through as well if `passesTrees`. After an error the decoder stays failed. No I/O; belongs to one thread at a time.
///
///     var rest = chunk
///     while let event = try decoder.next(&rest) { … }
public struct ObjectFrameDecoder: Sendable {
    public enum Event {
        /// `sizes` has one element for each entry: `ObjectFrame.noSize` where there is none. That their number equals the
        /// number of entries is known only to who parses the payload.
        case tree(ObjectID, payload: [UInt8], sizes: [UInt64])
        /// With `passesTrees`: a tree's payload begins, some of it, some of its sizes in order, and its end.
        case treeBegan(ObjectID, length: UInt64)
        case treeBytes(UnsafeRawBufferPointer)
        case treeSizes([UInt64])
        case treeEnded
        case blobBegan(ObjectID, length: UInt64)
        /// Some of the current blob's bytes: a part of the chunk given to `next`, valid as long as that is.
        case blobBytes(UnsafeRawBufferPointer)
        /// All bytes of the current blob have been given.
        case blobEnded
        case missing(ObjectID)
        case end
    }

    private enum State {
        case header
        case treePayload(ObjectID, length: Int)
        case treeCount(ObjectID, payload: [UInt8])
        case treeSizes(ObjectID, payload: [UInt8], count: Int)
        case passedTree(left: UInt64, length: UInt64, idCount: Int)
        case passedSizes(left: Int)
        case blob(left: UInt64)
        case ended
        case failed(ObjectFrameError)
    }

    private var state = State.header
    private var pending: [UInt8] = []
    private let treeLimit: UInt64
    private let blobLimit: UInt64
    private let passesTrees: Bool

    /// - Parameters:
    ///   - treeLimit: The longest tree payload to accept, in bytes.
    ///   - blobLimit: The longest blob to accept, in bytes.
    ///   - passesTrees: Gives trees piece by piece instead of collecting them.
    public init(treeLimit: UInt64 = 256 << 20, blobLimit: UInt64 = .max, passesTrees: Bool = false) {
        self.treeLimit = treeLimit
        self.passesTrees = passesTrees
        self.blobLimit = blobLimit
    }

    /// True once the end frame was read: a stream that stops earlier was cut off.
    public var isComplete: Bool {
        if case .ended = self.state { true } else { false }
    }

    /// Takes bytes from the front of `input`; nil when it is used up and more is needed.
    public mutating func next(_ input: inout UnsafeRawBufferPointer) throws(ObjectFrameError) -> Event? {
        do {
            return try self.step(&input)
        } catch {
            self.state = .failed(error)
            self.pending = []
            throw error
        }
    }

    private mutating func step(_ input: inout UnsafeRawBufferPointer) throws(ObjectFrameError) -> Event? {
        while true {
            switch self.state {
            case .failed(let error):
                throw error
            case .ended:
                guard input.isEmpty else { throw .trailingBytes }
                return nil
            case .header:
                // The second byte says how long the header is.
                guard self.collect(2, from: &input) else { return nil }
                let idLength = try self.checkedIDLength()
                guard self.collect(2 + idLength + 8, from: &input) else { return nil }
                if let event = try self.readHeader(idLength: idLength) { return event }
            case .passedTree(0, let length, let idCount):
                guard self.collect(4, from: &input) else { return nil }
                let count: UInt32 = Self.number(self.pending[...])
                guard UInt64(count) <= length / UInt64(8 + idCount) else { throw .entryCount(count) }
                self.pending = []
                self.state = .passedSizes(left: Int(count))
            case .passedTree(let left, let length, let idCount):
                guard let bytes = Self.take(left, from: &input) else { return nil }
                self.state = .passedTree(left: left - UInt64(bytes.count), length: length, idCount: idCount)
                return .treeBytes(bytes)
            case .passedSizes(0):
                self.state = .header
                return .treeEnded
            case .passedSizes(let left):
                // Whole sizes only; the rest of one that is cut stays pending.
                let wanted = min(left, max(1, (self.pending.count + input.count) / 8), 1024)
                guard self.collect(wanted * 8, from: &input) else { return nil }
                let sizes = self.takeSizes(wanted)
                self.state = .passedSizes(left: left - wanted)
                return .treeSizes(sizes)
            case .blob(0):
                self.state = .header
                return .blobEnded
            case .blob(let left):
                guard let bytes = Self.take(left, from: &input) else { return nil }
                self.state = .blob(left: left - UInt64(bytes.count))
                return .blobBytes(bytes)
            case .treePayload(let id, let length):
                guard self.collect(length, from: &input) else { return nil }
                self.state = .treeCount(id, payload: self.takePending())
            case .treeCount(let id, let payload):
                guard self.collect(4, from: &input) else { return nil }
                let count: UInt32 = Self.number(self.pending[...])
                // The shortest entry: a mode of five digits, a space, a name of one byte, NUL and the id.
                guard Int(count) <= payload.count / (8 + id.byteCount) else { throw .entryCount(count) }
                self.pending = []
                self.state = .treeSizes(id, payload: payload, count: Int(count))
            case .treeSizes(let id, let payload, let count):
                guard self.collect(count * 8, from: &input) else { return nil }
                let sizes = self.takeSizes(count)
                self.state = .header
                return .tree(id, payload: payload, sizes: sizes)
            }
        }
    }

    private func checkedIDLength() throws(ObjectFrameError) -> Int {
        guard let kind = ObjectFrame.Kind(rawValue: self.pending[0]) else { throw .unknownKind(self.pending[0]) }
        let length = self.pending[1]
        guard kind == .end ? length == 0 : length == 20 || length == 32 else { throw .idLength(length) }
        return Int(length)
    }

    private mutating func readHeader(idLength: Int) throws(ObjectFrameError) -> Event? {
        let header = self.takePending()
        let length: UInt64 = Self.number(header[(2 + idLength)...])
        let id = ObjectID(kind: idLength == 20 ? .sha1 : .sha256, bytes: header[2..<(2 + idLength)])
        switch (ObjectFrame.Kind(rawValue: header[0]), id) {
        case (.tree, let id?):
            guard length <= self.treeLimit else { throw .treeTooLarge(length) }
            if self.passesTrees {
                self.state = .passedTree(left: length, length: length, idCount: id.byteCount)
                return .treeBegan(id, length: length)
            }
            self.state = .treePayload(id, length: Int(length))
            return nil
        case (.blob, let id?):
            guard length <= self.blobLimit else { throw .blobTooLarge(length) }
            self.state = .blob(left: length)
            return .blobBegan(id, length: length)
        case (.missing, let id?):
            guard length == 0 else { throw .unexpectedPayload }
            return .missing(id)
        case (.end, _):
            guard length == 0 else { throw .unexpectedPayload }
            self.state = .ended
            return .end
        default:
            throw .unknownKind(header[0])
        }
    }

    /// Moves bytes from the input until `count` are pending; false when the input ends before.
    private mutating func collect(_ count: Int, from input: inout UnsafeRawBufferPointer) -> Bool {
        let wanted = count - self.pending.count
        if wanted > 0 {
            let taken = min(wanted, input.count)
            // An announced length is not a reason to allocate: the array grows with what has arrived.
            self.pending.append(contentsOf: input.prefix(taken))
            input = UnsafeRawBufferPointer(rebasing: input.dropFirst(taken))
        }
        return self.pending.count >= count
    }

    /// At most `count` bytes from the front of the input; nil when it is used up.
    private static func take(_ count: UInt64, from input: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard !input.isEmpty else { return nil }
        let count = Int(min(count, UInt64(input.count)))
        defer { input = UnsafeRawBufferPointer(rebasing: input.dropFirst(count)) }
        return UnsafeRawBufferPointer(rebasing: input.prefix(count))
    }

    private mutating func takeSizes(_ count: Int) -> [UInt64] {
        let bytes = self.takePending()
        return (0..<count).map { Self.number(bytes[($0 * 8)..<($0 * 8 + 8)]) }
    }

    private mutating func takePending() -> [UInt8] {
        let taken = self.pending
        self.pending = []
        return taken
    }

    private static func number<Number: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> Number {
        bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
    }
}
