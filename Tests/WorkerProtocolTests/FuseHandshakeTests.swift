import Testing
import WorkerProtocol

@Suite struct FuseHandshakeTests {
    private func request(
        opcode: UInt32 = 26, major: UInt32 = 7, minor: UInt32 = 44, flags: UInt32 = 0x73ff_fffb | 1 << 30,
        flags2: UInt32 = 1 << 7
    ) -> [UInt8] {
        var words = [UInt32](repeating: 0, count: 26)
        words[0] = 104
        words[1] = opcode
        words[2] = 0x1234
        words[10] = major
        words[11] = minor
        words[12] = 131072
        words[13] = flags
        words[14] = flags2
        return words.withUnsafeBytes { Array($0) }
    }

    private func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }

    @Test func answersWithTheConstantSettings() throws {
        let reply = try FuseHandshake.reply(to: request())
        #expect(reply.count == 80)
        #expect(word(reply, 0) == 80)
        #expect(word(reply, 4) == 0)
        #expect(word(reply, 8) == 0x1234)
        #expect(word(reply, 16) == 7)
        #expect(word(reply, 20) == 40)
        #expect(word(reply, 24) == 131072)
        let flags = UInt64(word(reply, 28)) | UInt64(word(reply, 48)) << 32
        #expect(FuseHandshake.Capabilities(rawValue: flags) == .wanted)
        #expect(word(reply, 32) == 64 | 48 << 16)
        #expect(word(reply, 36) == 16384)
        #expect(word(reply, 40) == 1)
        #expect(word(reply, 44) == 256)
        #expect(reply[52...].allSatisfy { $0 == 0 })
    }

    @Test func answersOnlyWhatTheKernelOffers() throws {
        let reply = try FuseHandshake.reply(to: request(flags: 1 << 30 | 1 << 13))
        #expect(word(reply, 28) == 1 << 30 | 1 << 13)
        #expect(word(reply, 48) == 1 << 7)
    }

    @Test func refusesAKernelThatCannotResend() {
        #expect(throws: FuseHandshakeError.noResend(major: 7, minor: 39)) {
            try FuseHandshake.reply(to: request(minor: 39, flags2: 0))
        }
        // Without FUSE_INIT_EXT the second word means nothing.
        #expect(throws: FuseHandshakeError.noResend(major: 7, minor: 44)) {
            try FuseHandshake.reply(to: request(flags: 1 << 13))
        }
        #expect(FuseHandshakeError.noResend(major: 7, minor: 39).description.contains("FUSE_HAS_RESEND"))
    }

    @Test func refusesWhatIsNoInit() {
        #expect(throws: FuseHandshakeError.malformed("opcode 1")) { try FuseHandshake.reply(to: request(opcode: 1)) }
        #expect(throws: FuseHandshakeError.malformed("7 bytes")) {
            try FuseHandshake.reply(to: [UInt8](repeating: 0, count: 7))
        }
        #expect(throws: FuseHandshakeError.malformed("length 104 in 60 bytes")) {
            try FuseHandshake.reply(to: Array(request().prefix(60)))
        }
        #expect(throws: FuseHandshakeError.unsupportedVersion(major: 8, minor: 1)) {
            try FuseHandshake.reply(to: request(major: 8, minor: 1))
        }
    }

    @Test func messagesHaveTheKernelsLayout() {
        #expect(FuseMessage.resend == [16, 0, 0, 0, 7, 0, 0, 0] + [UInt8](repeating: 0, count: 8))
        #expect(FuseMessage.reply(to: 5, error: 2) == [16, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 5, 0, 0, 0, 0, 0, 0, 0])
        let header = FuseRequestHeader(request())
        #expect(header?.opcode == FuseOpcode.initialise)
        #expect(header?.unique == 0x1234)
    }
}
