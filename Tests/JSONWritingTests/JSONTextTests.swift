import Foundation
import JSONWriting
import Testing

/// Held to Foundation's encoder, and to its parser.
@Suite struct JSONTextTests {
    private indirect enum Value: Encodable {
        case null, text(String), whole(Int64), large(UInt64), real(Double), truth(Bool)
        case list([Value])
        case object([(String, Value)])

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .null:
                var container = encoder.singleValueContainer()
                try container.encodeNil()
            case .text(let text): try text.encode(to: encoder)
            case .whole(let number): try number.encode(to: encoder)
            case .large(let number): try number.encode(to: encoder)
            case .real(let number): try number.encode(to: encoder)
            case .truth(let truth): try truth.encode(to: encoder)
            case .list(let values): try values.encode(to: encoder)
            case .object(let members):
                var container = encoder.container(keyedBy: Key.self)
                for (name, value) in members { try container.encode(value, forKey: Key(stringValue: name)) }
            }
        }

        static func random(_ depth: Int, _ generator: inout some RandomNumberGenerator) -> Value {
            let texts = ["", "a", "\"\\/", "\u{0}\u{1}\u{1f}\u{7f}", "\n\r\t\u{8}", "äöü€", "😀", "\u{2028}"]
            switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &generator) {
            case 0: return .null
            case 1: return .text(texts.randomElement(using: &generator) ?? "")
            case 2: return .whole(Int64.random(in: .min ... .max, using: &generator))
            case 3: return .large(UInt64.random(in: .min ... .max, using: &generator))
            case 4: return .real(Double.random(in: -1e6...1e6, using: &generator))
            case 5: return .truth(Bool.random(using: &generator))
            case 6:
                return .list((0..<Int.random(in: 0..<4, using: &generator)).map { _ in random(depth - 1, &generator) })
            default:
                return .object(
                    (0..<Int.random(in: 0..<4, using: &generator)).map {
                        ("\($0)" + (texts.randomElement(using: &generator) ?? ""), random(depth - 1, &generator))
                    })
            }
        }
    }

    private func parsed(_ bytes: some Sequence<UInt8>) throws -> NSObject {
        try #require(JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) as? NSObject)
    }

    @Test func randomValuesAreAsFoundationWritesThem() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let value = Value.random(4, &generator)
            let ours = try JSONText.bytes(of: value)
            #expect(
                try parsed(ours) == parsed(JSONEncoder().encode(value)), "\(String(decoding: ours, as: UTF8.self))")
        }
    }

    @Test func membersKeepTheirOrderAndDictionariesHaveOne() throws {
        let value = Value.object([("z", .whole(1)), ("a", .list([.null, .object([]), .list([])])), ("m", .real(0.5))])
        #expect(String(decoding: try JSONText.bytes(of: value), as: UTF8.self) == #"{"z":1,"a":[null,{},[]],"m":0.5}"#)
        let labels = Dictionary(uniqueKeysWithValues: (0..<20).map { (String(UnicodeScalar(UInt8(97 + $0))), "x") })
        let text = String(decoding: try JSONText.bytes(of: [labels]), as: UTF8.self)
        #expect(text == "[{" + labels.keys.sorted().map { #""\#($0)":"x""# }.joined(separator: ",") + "}]")
    }

    /// Containers that are left open are closed where their parent goes on.
    @Test func nestedContainersEnd() throws {
        struct Nested: Encodable {
            enum Key: String, CodingKey { case one, two, three, four }
            func encode(to encoder: any Encoder) throws {
                var outer = encoder.container(keyedBy: Key.self)
                var inner = outer.nestedContainer(keyedBy: Key.self, forKey: .one)
                try inner.encode(1, forKey: .one)
                var list = inner.nestedUnkeyedContainer(forKey: .two)
                try list.encode("x")
                var deep = list.nestedContainer(keyedBy: Key.self)
                try deep.encodeNil(forKey: .three)
                try list.encode(2)
                try outer.encode(true, forKey: .two)
                try "text".encode(to: outer.superEncoder(forKey: .three))
                // The same object again.
                var again = encoder.container(keyedBy: Key.self)
                try again.encode(1.5, forKey: .four)
            }
        }
        let text = String(decoding: try JSONText.bytes(of: [Nested()]), as: UTF8.self)
        #expect(text == #"[{"one":{"one":1,"two":["x",{"three":null},2]},"two":true,"three":"text","four":1.5}]"#)
    }

    @Test func whatIsNoValueIsRefused() {
        struct Nothing: Encodable {
            func encode(to encoder: any Encoder) {}
        }
        #expect(throws: EncodingError.self) { try JSONText.bytes(of: Double.nan) }
        #expect(throws: EncodingError.self) { try JSONText.bytes(of: [Double.infinity]) }
        #expect(throws: EncodingError.self) { try JSONText.bytes(of: [Nothing()]) }
    }
}
