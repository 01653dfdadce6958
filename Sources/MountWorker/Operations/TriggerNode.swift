/// The nodes of the trigger form. Which directory or object a number is follows from the number, but for large objects.
enum TriggerNode: Hashable, Sendable {
    /// One of the two trees below the root, which have the same shape.
    enum Side: UInt64, Sendable, CaseIterable {
        /// `t`: looking an object up fetches it.
        case fetch = 0
        /// `e`: looking an object up says why it could not be fetched.
        case errors = 1

        var name: [UInt8] { self == .fetch ? [0x74] : [0x65] }
    }

    case root
    case side(Side)
    /// The directory that overlayfs's redirects begin with.
    case objects(Side)
    /// The directory of all objects whose id begins with a byte.
    case part(Side, UInt8)
    /// An object that is served as a file, by its place in the table.
    case large(Int)

    private static let sides: UInt64 = 2
    private static let objects: UInt64 = 4
    private static let parts: UInt64 = 0x100
    static let firstLarge: UInt64 = 0x1000

    init?(_ number: UInt64) {
        switch number {
        case 1: self = .root
        case Self.sides..<Self.sides + 2:
            guard let side = Side(rawValue: number - Self.sides) else { return nil }
            self = .side(side)
        case Self.objects..<Self.objects + 2:
            guard let side = Side(rawValue: number - Self.objects) else { return nil }
            self = .objects(side)
        case Self.parts..<Self.parts + 0x200:
            guard let side = Side(rawValue: (number - Self.parts) >> 8) else { return nil }
            self = .part(side, UInt8(truncatingIfNeeded: number))
        case Self.firstLarge...:
            guard let place = Int(exactly: number - Self.firstLarge) else { return nil }
            self = .large(place)
        default: return nil
        }
    }

    var number: UInt64 {
        switch self {
        case .root: 1
        case .side(let side): Self.sides + side.rawValue
        case .objects(let side): Self.objects + side.rawValue
        case .part(let side, let byte): Self.parts + side.rawValue << 8 + UInt64(byte)
        case .large(let place): Self.firstLarge + UInt64(place)
        }
    }
}
