import CacheProtocol
import LinuxSystem

/// Takes a response's body as it arrives. Used on the fetch thread only.
protocol BodyReceiver: AnyObject {
    /// The response is a success; `length` is its Content-Length if it has one. An error ends the transfer.
    func begin(length: UInt64?) -> CacheError?
    func receive(_ bytes: UnsafeRawBufferPointer) -> CacheError?
}

/// One HTTP request.
struct TransferRequest: Sendable {
    enum Method: Sendable { case get, head, post }

    var url: String
    var method = Method.get
    /// Of a POST.
    var body: [UInt8] = []
    /// `Name: value`; a Content-Type among them takes the place of the usual one.
    var headers: [String] = []
    /// `Authorization` value, never logged.
    var authorization: String?
    var access = TransferAccess()
    var connectTimeout: Duration
    /// Without a byte for so long it has failed.
    var progressTimeout: Duration
    /// Bytes a second: a transfer has `progressTimeout` plus what it has received ÷ rate.
    var minimumRate: Int
    /// Waits for those that are not.
    var isBackground = false
    /// Of one in the background.
    var urgency: Urgency?
    /// Bytes a second that it may receive at most, while it is in the background; 0 for no bound.
    var maximumRate = 0
}

/// How a place is reached. Paths and addresses as configured; empty ones are none.
struct TransferAccess: Hashable, Sendable {
    /// Certificates to trust besides the system's, PEM.
    var caFile: String?
    /// This side's certificate and its key, PEM.
    var clientCertificate: String?
    var clientKey: String?
    /// `http://HOST:PORT`.
    var proxy: String?

    var withoutCertificate: TransferAccess {
        TransferAccess(caFile: caFile, proxy: proxy)
    }
}

/// How a transfer ended.
enum TransferOutcome: Sendable {
    /// The whole response was received; of a response that is no success the first part of the body.
    case response(status: Int, length: UInt64?, retryAfter: Duration?, errorBody: [UInt8])
    /// No connection could be made.
    case unreachable(String)
    /// It broke off.
    case interrupted(String)
    case stalled(String)
    /// The receiver did not want more.
    case rejected(CacheError)
}

/// A request under way. Owned by the fetch thread.
final class Transfer {
    let request: TransferRequest
    let receiver: any BodyReceiver
    private let ended: (Transfer, TransferOutcome) -> Void
    var handle: EasyHandle?
    var lastProgress = Deadline.now
    private var begun = Deadline.now
    var received: UInt64 = 0
    private var status = 0
    private var rejection: CacheError?
    private var errorBody: [UInt8] = []
    private var hasBegun = false

    init(
        _ request: TransferRequest, receiver: any BodyReceiver, ended: @escaping (Transfer, TransferOutcome) -> Void
    ) {
        self.request = request
        self.receiver = receiver
        self.ended = ended
    }

    func completion(_ outcome: TransferOutcome) {
        ended(self, outcome)
    }

    /// Its connection is looked for from now on.
    func launched(_ handle: EasyHandle) {
        self.handle = handle
        begun = .now
        lastProgress = begun
    }

    /// When it has failed if nothing happens before: after so long without a byte, or when it has fallen behind the minimum rate
    /// by so much, which also ends an answer that drips.
    var deadline: Deadline {
        let due = Duration.seconds(Int64(clamping: received) / Int64(request.minimumRate))
        return min(lastProgress, begun.advanced(by: due)).advanced(by: request.progressTimeout)
    }

    /// The write callback; false stops the transfer.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        lastProgress = .now
        received += UInt64(bytes.count)
        guard begin() else { return false }
        if Self.isSuccess(status) {
            rejection = receiver.receive(bytes)
            return rejection == nil
        }
        if errorBody.count < 16 * 1024 { errorBody.append(contentsOf: bytes.prefix(16 * 1024 - errorBody.count)) }
        // What an error has to say fits in a megabyte; more is an attack.
        return received < 1 << 20
    }

    private func begin() -> Bool {
        guard !hasBegun, let handle else { return true }
        hasBegun = true
        status = handle.status
        guard Self.isSuccess(status) else { return true }
        rejection = receiver.begin(length: handle.contentLength)
        return rejection == nil
    }

    /// The outcome once libcurl is done with it.
    func outcome(_ result: EasyHandle.Result) -> TransferOutcome {
        if result == .done && request.method != .head { _ = begin() }
        if let rejection { return .rejected(rejection) }
        switch result {
        case .done:
            return .response(
                status: handle?.status ?? 0, length: handle?.contentLength, retryAfter: handle?.retryAfter,
                errorBody: errorBody)
        case .noConnection(let text): return .unreachable(text)
        case .timedOut(let text): return .stalled(text)
        case .broken(let text): return .interrupted(text)
        }
    }

    static func isSuccess(_ status: Int) -> Bool {
        (200..<300).contains(status)
    }
}
