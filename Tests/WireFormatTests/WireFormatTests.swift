import GitObjects
import LinuxSystem
import Testing
import WireFormat

@Suite struct WireFormatTests {
    @Test func fieldsComeBack() throws {
        var writer = WireWriter()
        writer.put(UInt8(7))
        writer.put(UInt16(0xABCD))
        writer.put(UInt32(0xDEAD_BEEF))
        writer.put(UInt64.max - 1)
        writer.put(Int64(-5))
        writer.put("é\u{1F600}")
        writer.put(bytes: [1, 2, 3])
        writer.put(ObjectID.emptyTreeSHA1)
        writer.put(raw: [9, 8])
        var reader = WireReader(writer.bytes)
        #expect(try reader.uint8() == 7)
        #expect(try reader.uint16() == 0xABCD)
        #expect(try reader.uint32() == 0xDEAD_BEEF)
        #expect(try reader.uint64() == .max - 1)
        #expect(try reader.int64() == -5)
        #expect(try reader.string() == "é\u{1F600}")
        #expect(try reader.lengthPrefixedBytes() == [1, 2, 3])
        #expect(try reader.objectID() == .emptyTreeSHA1)
        #expect(throws: WireError.trailingBytes) { try reader.end() }
        #expect(reader.rest() == [9, 8])
        try reader.end()
    }

    @Test func integersAreLittleEndian() {
        var writer = WireWriter()
        writer.put(UInt32(0x0102_0304))
        #expect(writer.bytes == [4, 3, 2, 1])
    }

    @Test func everyTruncationIsNoticed() throws {
        var writer = WireWriter()
        writer.put(UInt64(1))
        writer.put("text")
        writer.put(ObjectID.emptyBlobSHA1)
        for length in 0..<writer.bytes.count {
            var reader = WireReader(Array(writer.bytes.prefix(length)))
            #expect(throws: WireError.truncated) {
                _ = try reader.uint64()
                _ = try reader.string()
                _ = try reader.objectID()
            }
        }
    }

    @Test func lengthsThatLieAreRefused() {
        var long = WireReader([0xFF, 0xFF, 0xFF, 0xFF, 1])
        #expect(throws: WireError.truncated) { try long.lengthPrefixedBytes() }
        var text = WireReader([2, 0, 0, 0, 0xC3, 0x28])
        #expect(throws: WireError.invalid("text")) { try text.string() }
        var id = WireReader([UInt8](repeating: 0xEE, count: 33))
        #expect(throws: WireError.invalid("object id kind")) { try id.objectID() }
    }

    @Test func headersComeBack() throws {
        var payload = WireWriter()
        payload.put(UInt16(3))
        let header = MessageHeader(operation: 9, id: 77, deadline: Deadline(nanoseconds: 123))
        let message = header.message(payload)
        #expect(message.count == MessageHeader.size + 2)
        var reader = WireReader(message)
        #expect(try MessageHeader(from: &reader) == header)
        #expect(reader.rest() == [3, 0])
        let reply = header.reply(isError: true)
        #expect(reply.flags == [.reply, .error])
        #expect(reply.id == 77)
        #expect(reply.deadline == .never)
    }

    @Test func aHeaderMustNameTheLengthOfItsDatagram() {
        let message = MessageHeader(operation: 1, id: 1).message()
        for wrong in [message + [0], Array(message.dropLast())] {
            var reader = WireReader(wrong)
            #expect(throws: WireError.lengthMismatch) { try MessageHeader(from: &reader) }
        }
        var short = WireReader([4, 0, 0, 0])
        #expect(throws: WireError.truncated) { try MessageHeader(from: &short) }
    }
}
