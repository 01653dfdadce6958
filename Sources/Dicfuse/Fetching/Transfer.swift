import CacheProtocol
import LinuxSystem

/// Takes a response's body as it arrives. Used on the fetch thread only.
protocol BodyReceiver: AnyObject {
    /// The response is a success; `length` is its Content-Length if it has one. An error ends the transfer.
    func begin(length: UInt64?) -> CacheError?
    func receive(_ bytes: UnsafeRawBufferPointer) -> CacheError?
    /// How long the body must be, if that is known without the origin.
    var expectedLength: UInt64? { get }
}

extension BodyReceiver {
    var expectedLength: UInt64? { nil }
}

/// One HTTP request.
struct TransferRequest: Sendable {
    enum Method: Sendable { case get, head }

    var url: String
    var method = Method.get
    /// `Authorization` value, never logged.
    var authorization: String?
    var caFile: String?
    var connectTimeout: Duration
    /// Without a byte for so long it has failed.
    var progressTimeout: Duration
    /// Bytes a second: a body of known length has `progressTimeout` plus length ÷ rate in all.
    var minimumRate: Int
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
    var limit = Deadline.never
    var received: UInt64 = 0
    private var status = 0
    private var rejection: CacheError?
    private var errorBody: [UInt8] = []
    private var begun = false

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

    /// When it has failed if nothing happens before.
    var deadline: Deadline {
        min(limit, lastProgress.advanced(by: request.progressTimeout))
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
        guard !begun, let handle else { return true }
        begun = true
        status = handle.status
        guard Self.isSuccess(status) else { return true }
        let length = handle.contentLength
        if let length = length ?? receiver.expectedLength {
            limit = .after(request.progressTimeout + .seconds(Int64(clamping: length) / Int64(request.minimumRate)))
        }
        rejection = receiver.begin(length: length)
        return rejection == nil
    }

    /// The outcome once libcurl is done with it.
    func outcome(_ result: EasyHandle.Result) -> TransferOutcome {
        if result == .done && request.method == .get { _ = begin() }
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
