import Testing

@testable import SealedImage

@Suite struct XattrFilterTests {
    /// From the specification, and, for texts of 16 bytes and more, what the reference implementation gives.
    @Test(arguments: [
        ("", 0x02CC_5D05 as UInt32), ("a", 0x550D_7456), ("abc", 0x32D1_53FF),
        ("overlay.redirect", 0x4019_E761), ("0123456789abcdef0123456789abcdefxyz", 0x4F2D_26C0),
    ])
    func hashesAsSpecified(text: String, expected: UInt32) {
        #expect(XattrFilter.xxh32(Array(text.utf8), seed: 0) == expected)
    }
}
