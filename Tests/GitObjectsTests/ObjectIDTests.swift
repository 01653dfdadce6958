import GitObjects
import Testing

@Suite struct ObjectIDTests {
    static let sha1 = "9d1dcfdaf1a6857c5f83dc27019c7600e1ffaff8"
    static let sha256 = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"

    @Test(arguments: [(sha1, ObjectID.Kind.sha1), (sha256, .sha256)])
    func hexRoundTrip(hex: String, kind: ObjectID.Kind) throws {
        let id = try #require(ObjectID(hex: hex))
        #expect(id.kind == kind)
        #expect(id.hex == hex)
        #expect("\(id)" == hex)
        #expect(ObjectID(hex: hex.uppercased()) == id)
        #expect(ObjectID(hex: Array(hex.utf8)) == id)
        #expect(ObjectID(kind: kind, bytes: id.bytes) == id)
        #expect(id.bytes.count == id.byteCount)
    }

    @Test(arguments: [
        "", "9d1d", sha1 + "0", String(sha1.dropLast()), String(sha1.dropLast()) + "g", " " + sha1.dropLast(),
    ])
    func malformedHex(text: String) {
        #expect(ObjectID(hex: text) == nil)
    }

    @Test func bytesOfWrongLength() {
        #expect(ObjectID(kind: .sha1, bytes: [UInt8](repeating: 1, count: 19)) == nil)
        #expect(ObjectID(kind: .sha1, bytes: [UInt8](repeating: 1, count: 32)) == nil)
        #expect(ObjectID(kind: .sha256, bytes: [UInt8](repeating: 1, count: 20)) == nil)
        #expect(ObjectID(kind: .path, bytes: [UInt8](repeating: 1, count: 32)) != nil)
    }

    @Test func kindsAreDistinct() throws {
        let bytes = (0..<32).map { UInt8($0) }
        let sha256 = try #require(ObjectID(kind: .sha256, bytes: bytes))
        let path = try #require(ObjectID(kind: .path, bytes: bytes))
        #expect(sha256 != path)
        #expect(sha256 < path)
        #expect(Set([sha256, path]).count == 2)
    }

    @Test func orderIsThatOfTheText() throws {
        let texts = ["00", "01", "7f", "80", "ff"].flatMap { head in ["00", "ff"].map { head + $0 } }
            .map { $0 + String(repeating: "5", count: 36) }
        let ids = try texts.map { try #require(ObjectID(hex: $0)) }
        #expect(ids.shuffled().sorted().map(\.hex) == texts.sorted())
    }

    @Test func collectionWithoutContiguousStorage() throws {
        let id = try #require(ObjectID(hex: Self.sha1))
        #expect(ObjectID(kind: .sha1, bytes: id.bytes.reversed().reversed() as ReversedCollection) != nil)
        #expect(ObjectID(kind: .sha1, bytes: AnyCollection(id.bytes)) == id)
    }
}

@Suite struct FileModeTests {
    @Test(arguments: [
        ("100644", FileMode.regular), ("100664", .regular), ("100600", .regular), ("100640", .regular),
        ("100755", .executable), ("100775", .executable), ("100700", .executable), ("100744", .executable),
        ("100611", .regular), ("120000", .symlink), ("120777", .symlink), ("160000", .submodule), ("40000", .directory),
        ("040000", .directory), ("40755", .directory),
    ])
    func octalText(text: String, mode: FileMode) {
        #expect(FileMode(octal: text.utf8) == mode)
    }

    @Test(arguments: ["", "8", "100648", "20666", "60000", "10644", "0", "-100644", "10000100644", "140000"])
    func refusedText(text: String) {
        #expect(FileMode(octal: text.utf8) == nil)
    }

    @Test(arguments: FileMode.allCases)
    func roundTrip(mode: FileMode) {
        #expect(FileMode(octal: mode.octal.utf8) == mode)
        #expect(mode.octal.first != "0")
    }
}
