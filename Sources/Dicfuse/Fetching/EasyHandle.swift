import CCurl
import LinuxSystem

/// One libcurl easy handle, used again for one transfer after the other. Owned by the fetch thread.
final class EasyHandle {
    enum Result: Equatable {
        case done
        case noConnection(String)
        case timedOut(String)
        case broken(String)
    }

    let raw: UnsafeMutableRawPointer
    private var headers: UnsafeMutablePointer<curl_slist>?

    init?() {
        guard let raw = curl_easy_init() else { return nil }
        self.raw = raw
    }

    deinit {
        curl_easy_cleanup(raw)
        curl_slist_free_all(headers)
    }

    /// Prepares the handle. The transfer must live until `reset`.
    func prepare(_ transfer: Transfer) {
        let request = transfer.request
        _ = ant_curl_set_text(raw, CURLOPT_URL, request.url)
        _ = ant_curl_set_text(raw, CURLOPT_PROTOCOLS_STR, "http,https")
        _ = ant_curl_set_text(raw, CURLOPT_USERAGENT, "dicfuse-cache")
        // Not from the environment of whoever started us.
        _ = ant_curl_set_text(raw, CURLOPT_PROXY, request.access.proxy ?? "")
        _ = ant_curl_set_text(raw, CURLOPT_NOPROXY, "")
        _ = ant_curl_set_long(raw, CURLOPT_NOSIGNAL, 1)
        _ = ant_curl_set_long(raw, CURLOPT_FOLLOWLOCATION, 0)
        _ = ant_curl_set_long(raw, CURLOPT_TCP_NODELAY, 1)
        _ = ant_curl_set_long(raw, CURLOPT_BUFFERSIZE, 64 * 1024)
        _ = ant_curl_set_long(raw, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.connectTimeout))
        _ = ant_curl_set_long(raw, CURLOPT_NOBODY, request.method == .head ? 1 : 0)
        if request.maximumRate > 0 { limit(to: request.maximumRate) }
        if let file = request.access.caFile {
            // The system's stay trusted: they are in the directory.
            _ = ant_curl_set_text(raw, CURLOPT_CAINFO, file)
            _ = ant_curl_set_text(raw, CURLOPT_CAPATH, "/etc/ssl/certs")
        }
        if let file = request.access.clientCertificate {
            _ = ant_curl_set_text(raw, CURLOPT_SSLCERT, file)
            _ = ant_curl_set_text(raw, CURLOPT_SSLKEY, request.access.clientKey ?? file)
        }
        if request.method == .post {
            _ = ant_curl_set_long(raw, CURLOPT_POST, 1)
            _ = ant_curl_set_long(raw, CURLOPT_POSTFIELDSIZE, request.body.count)
            request.body.withUnsafeBytes { body in
                _ = ant_curl_set_pointer(
                    raw, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: body.baseAddress))
            }
            if !request.headers.contains(where: { $0.hasPrefix("Content-Type:") }) {
                add(header: "Content-Type: application/octet-stream")
            }
            // Without this a large body would wait for leave to be sent.
            add(header: "Expect:")
        }
        for header in request.headers { add(header: header) }
        if let authorization = request.authorization { add(header: "Authorization: \(authorization)") }
        if headers != nil { _ = ant_curl_set_pointer(raw, CURLOPT_HTTPHEADER, headers) }
        _ = ant_curl_set_write(raw, Self.write)
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        _ = ant_curl_set_pointer(raw, CURLOPT_WRITEDATA, context)
        _ = ant_curl_set_pointer(raw, CURLOPT_PRIVATE, context)
    }

    /// Bytes a second; 0 for no bound. May be called while the transfer goes on.
    func limit(to rate: Int) {
        _ = ant_curl_set_offset(raw, CURLOPT_MAX_RECV_SPEED_LARGE, curl_off_t(rate))
    }

    private func add(header: String) {
        headers = curl_slist_append(headers, header)
    }

    /// Makes the handle ready for the next transfer; connections stay open in the multi handle.
    func reset() {
        curl_easy_reset(raw)
        curl_slist_free_all(headers)
        headers = nil
    }

    var status: Int { Int(ant_curl_long(raw, CURLINFO_RESPONSE_CODE)) }

    var contentLength: UInt64? { UInt64(exactly: ant_curl_offset(raw, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T)) }

    var retryAfter: Duration? {
        let seconds = ant_curl_offset(raw, CURLINFO_RETRY_AFTER)
        return seconds > 0 ? .seconds(seconds) : nil
    }

    static func result(_ code: CURLcode) -> Result {
        let text = String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_OK: return .done
        case CURLE_COULDNT_CONNECT, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY,
            CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
            CURLE_PROXY:
            return .noConnection(text)
        case CURLE_OPERATION_TIMEDOUT: return .timedOut(text)
        default: return .broken(text)
        }
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    private static let write:
        @convention(c) (
            UnsafeMutablePointer<CChar>?, Int, Int, UnsafeMutableRawPointer?
        ) -> Int = { bytes, size, count, context in
            guard let context else { return 0 }
            let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
            let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
            return transfer.receive(buffer) ? buffer.count : 0
        }
}
