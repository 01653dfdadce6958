import NIOCore
import NIOHTTP1

/// What an exchange owes the version of HTTP that the client speaks and what it expects, below the types that know neither. Lives on its channel's
/// event loop.
///
/// A connection of HTTP/1.0 ends with its answer unless the client asked to keep it (RFC 9112 §9.3), and has no chunks. Who waits with its body for
/// `100 Continue` (RFC 9110 §10.1.1) is told to go on once all answers before are out.
final class ExchangeManners: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private struct Exchange {
        let version: HTTPVersion
        /// Whether the connection is for further requests.
        var isKept: Bool
        var waitsToGoOn: Bool
        /// The server that reads the requests does not know that the connection ends with this one.
        var endsUnforeseen = false
    }

    /// Requests without a whole answer, oldest first.
    private var exchanges: [Exchange] = []

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else {
            // The body comes by itself.
            if exchanges.count > 1 { exchanges[exchanges.count - 1].waitsToGoOn = false }
            return context.fireChannelRead(data)
        }
        let isOld = head.version.isOld
        let expected = isOld ? [] : head.headers["expect"]
        // Where something is not met, the answer does not wait for the body, which may never come.
        let areMet = Expectation.unmet(in: expected) == nil
        let isKept = head.isKeepAlive && areMet
        if isOld { head.headers.remove(name: "expect") }
        // In any spelling, and without it for HTTP/1.0: the reader of requests ends for this alone.
        if !isKept { head.headers.replaceOrAdd(name: "connection", value: "close") }
        exchanges.append(
            Exchange(
                version: head.version, isKept: isKept, waitsToGoOn: areMet && !Expectation.all(in: expected).isEmpty))
        if exchanges.count == 1 { letGoOn(context) }
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let exchange = exchanges.first else { return context.write(data, promise: promise) }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            let isOld = exchange.version.isOld
            if isOld { head.version = exchange.version }
            // Without a length only the end of the connection tells a client of HTTP/1.0 that this was all.
            let isKept = exchange.isKept && !(isOld && !head.headers.contains(name: "content-length"))
            exchanges[0].endsUnforeseen = exchange.isKept && !isKept
            if !isKept {
                head.headers.replaceOrAdd(name: "connection", value: "close")
            } else if isOld {
                head.headers.replaceOrAdd(name: "connection", value: "keep-alive")
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            exchanges.removeFirst()
            context.write(data, promise: promise)
            if exchange.endsUnforeseen {
                context.flush()
                context.close(mode: .output, promise: nil)
            } else {
                letGoOn(context)
            }
        }
    }

    private func letGoOn(_ context: ChannelHandlerContext) {
        guard let exchange = exchanges.first, exchange.waitsToGoOn else { return }
        exchanges[0].waitsToGoOn = false
        let head = HTTPResponseHead(version: exchange.version, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }
}

extension HTTPVersion {
    /// Before HTTP/1.1.
    fileprivate var isOld: Bool {
        (major, minor) < (1, 1)
    }
}
