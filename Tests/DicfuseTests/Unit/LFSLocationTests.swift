import CacheProtocol
import GitObjects
import Testing

@testable import Dicfuse

@Suite struct LFSLocationTests {
    private let id: ObjectID

    init() throws {
        id = try #require(ObjectID(kind: .lfs, bytes: [UInt8](repeating: 0x5A, count: 32)))
    }

    private func answer(_ object: String) -> [UInt8] {
        Array(#"{"transfer":"basic","objects":[\#(object)],"hash_algo":"sha256"}"#.utf8)
    }

    private func located(href: String, header: String = "{}") -> [UInt8] {
        answer(#"{"oid":"\#(id.hex)","size":3,"actions":{"download":{"href":"\#(href)","header":\#(header)}}}"#)
    }

    @Test func theAddressAndItsHeadersAreTaken() throws {
        let location = try LFSLocation.parse(
            located(href: "https://store.example/x?sig=%2B", header: #"{"X-Key":"a b","Authorization":"Bearer t"}"#), id
        )
        #expect(location.address == "https://store.example/x?sig=%2B")
        #expect(location.headers == ["Authorization: Bearer t", "X-Key: a b"])
    }

    /// What would be sent somewhere else than it seems, or say more than one thing.
    @Test(arguments: ["file:///etc/passwd", "ftp://x/y", "http://x/a\\nb", "http://x/ y", "/objects/1"])
    func anAddressThatIsNoneIsCorrupt(_ address: String) {
        let error = #expect(throws: CacheError.self) { try LFSLocation.parse(located(href: address), id) }
        #expect(error?.code == .corrupt)
    }

    @Test(arguments: [#"{"X-Key":"a\r\nHost: b"}"#, #"{"X Key":"a"}"#, #"{"":"a"}"#, #"{"X:Y":"a"}"#])
    func aHeaderThatCannotBeSentIsCorrupt(_ header: String) {
        let error = #expect(throws: CacheError.self) {
            try LFSLocation.parse(located(href: "http://x/y", header: header), id)
        }
        #expect(error?.code == .corrupt)
    }

    @Test func absenceIsToldFromFailure() {
        func code(_ body: [UInt8]) -> CacheError.Code? {
            #expect(throws: CacheError.self) { try LFSLocation.parse(body, id) }?.code
        }
        #expect(code(answer(#"{"oid":"\#(id.hex)","error":{"code":404,"message":"gone"}}"#)) == .notFound)
        #expect(code(answer(#"{"oid":"\#(id.hex)","error":{"code":503}}"#)) == .unreachable)
        #expect(code(answer(#"{"oid":"\#(id.hex)"}"#)) == .notFound)
        #expect(code(answer("")) == .corrupt)
        #expect(code(Array("<html>".utf8)) == .corrupt)
        #expect(code(Array(#"{"transfer":"tus","objects":[{"oid":"\#(id.hex)"}]}"#.utf8)) == .corrupt)
    }

    @Test(arguments: [
        ("http://0.0.0.0:8000/info/lfs/objects/1", "http://mega:8000/info/lfs/objects/1"),
        ("http://[::]:8000/x", "http://mega:8000/x"), ("http://0.0.0.0", "http://mega:8000"),
        ("http://other:1/x", "http://other:1/x"), ("http://0.0.0.0.example/x", "http://0.0.0.0.example/x"),
    ])
    func aServerThatIsBoundToAnyAddressMeansItself(_ given: String, _ asked: String) {
        #expect(LFSLocation(address: given, headers: []).reachable(from: "http://mega:8000/info/lfs") == asked)
    }

    @Test func credentialsAreForTheSameServerOnly() {
        let server = "http://mega:8000/info/lfs"
        #expect(LFSLocation.areSameServer("http://MEGA:8000/x", server))
        #expect(!LFSLocation.areSameServer("https://mega:8000/x", server))
        #expect(!LFSLocation.areSameServer("http://mega:8001/x", server))
        #expect(!LFSLocation.areSameServer("http://mega:8000@evil/x", server))
        #expect(!LFSLocation.areSameServer("http://mega:8000.evil/x", server))
    }
}
