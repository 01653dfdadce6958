import CCurl
import Glibc

/// One HTTP exchange at a time over a unix socket or the network, with deadlines (libcurl).
struct HTTPClient {
    struct Response: Hashable {
        let status: Int
        let body: [UInt8]
    }

    enum Failure: Error {
        case unreachable(errno: Int32)
        case timedOut
        /// The other side does not show a certificate that is trusted.
        case untrusted(String)
        /// It hangs up, or what it says is no answer.
        case notHTTP(String)
        case other(String)
    }

    /// Bytes of an answer; more is a failure.
    static let maximumBody = 64 << 20

    let address: SupervisorAddress
    /// Seconds without a byte after which a stream is given up: three of the signs of life that the server sends.
    static let streamSilence = 45

    /// Shown over the network.
    var token: String?
    /// Seconds for the connection and for the whole exchange.
    let connectTimeout = 3
    let timeout: Int

    private final class Received {
        var bytes: [UInt8] = []
        let consume: (([UInt8]) -> Void)?

        init(_ consume: (([UInt8]) -> Void)?) {
            self.consume = consume
        }
    }

    /// `path` is used as it is: already percent-encoded. With `consume` the answer has no end that could be waited for: its bytes go there
    /// as they come, also those of an error, and the body of the response is the first of them.
    func send(
        _ method: String, _ path: String, body: [UInt8]? = nil, consume: (([UInt8]) -> Void)? = nil
    ) throws(Failure) -> Response {
        guard let handle = curl_easy_init() else { throw .other("libcurl cannot be initialised") }
        defer { curl_easy_cleanup(handle) }
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(headers) }
        for header in ["Content-Type: application/json", "Accept: application/json", "Expect:"]
            + (token.map { ["Authorization: Bearer \($0)"] } ?? [])
        {
            headers = curl_slist_append(headers, header)
        }
        let received = Received(consume)
        var payload = body ?? []
        let code = payload.withUnsafeMutableBytes { payload -> CURLcode in
            Self.name(address, path, for: handle)
            ant_curl_set_long(handle, CURLOPT_PATH_AS_IS, 1)
            ant_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, method)
            ant_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers)
            // Neither proxies of the environment nor signals of libcurl's own.
            ant_curl_set_text(handle, CURLOPT_PROXY, "")
            ant_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
            ant_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT, connectTimeout)
            if consume == nil {
                ant_curl_set_long(handle, CURLOPT_TIMEOUT, timeout)
            } else {
                ant_curl_set_long(handle, CURLOPT_LOW_SPEED_LIMIT, 1)
                ant_curl_set_long(handle, CURLOPT_LOW_SPEED_TIME, Self.streamSilence)
            }
            if body != nil {
                ant_curl_set_long(handle, CURLOPT_POSTFIELDSIZE, payload.count)
                ant_curl_set_pointer(handle, CURLOPT_POSTFIELDS, payload.baseAddress)
            }
            ant_curl_set_write(handle) { bytes, size, count, context in
                let received = Unmanaged<Received>.fromOpaque(context!).takeUnretainedValue()
                let length = size * count
                if let bytes, let consume = received.consume {
                    let chunk = Array(UnsafeRawBufferPointer(start: bytes, count: length))
                    if received.bytes.isEmpty { received.bytes = chunk }
                    consume(chunk)
                    return length
                }
                guard let bytes, received.bytes.count + length <= HTTPClient.maximumBody else { return 0 }
                received.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
                return length
            }
            ant_curl_set_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(received).toOpaque())
            return withExtendedLifetime(received) { curl_easy_perform(handle) }
        }
        try Self.check(code, handle)
        return Response(status: ant_curl_long(handle, CURLINFO_RESPONSE_CODE), body: received.bytes)
    }

    private static func name(_ address: SupervisorAddress, _ path: String, for handle: UnsafeMutableRawPointer) {
        switch address {
        case .socket(let socket):
            ant_curl_set_text(handle, CURLOPT_UNIX_SOCKET_PATH, socket)
            ant_curl_set_text(handle, CURLOPT_URL, "http://localhost" + path)
        case .network(let url, let caFile, _):
            ant_curl_set_text(handle, CURLOPT_URL, url + path)
            ant_curl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
            if let caFile { ant_curl_set_text(handle, CURLOPT_CAINFO, caFile) }
        }
    }

    private static func check(_ code: CURLcode, _ handle: UnsafeMutableRawPointer) throws(Failure) {
        switch code {
        case CURLE_OK:
            return
        case CURLE_COULDNT_CONNECT:
            throw .unreachable(errno: Int32(truncatingIfNeeded: ant_curl_long(handle, CURLINFO_OS_ERRNO)))
        case CURLE_OPERATION_TIMEDOUT:
            throw .timedOut
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
            throw .untrusted(String(cString: curl_easy_strerror(code)))
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            throw .notHTTP(String(cString: curl_easy_strerror(code)))
        default:
            throw .other(String(cString: curl_easy_strerror(code)))
        }
    }
}
