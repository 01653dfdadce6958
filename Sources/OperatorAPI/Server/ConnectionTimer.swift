import HTTPTypes
import NIOCore
import NIOHTTPTypes
import NIOTLS

/// Closes a connection whose client is too slow, and one that has to go for a newer one. Lives on its channel's event loop.
final class ConnectionTimer: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let table: ConnectionTable
    private let isSecured: Bool
    private var times: ConnectionTimes
    private var timer: Scheduled<Void>?
    private var number: UInt64?

    /// `isSecured`: a TLS handshake comes first.
    init(limits: ConnectionLimits, table: ConnectionTable, isSecured: Bool) {
        times = ConnectionTimes(limits: limits)
        self.table = table
        self.isSecured = isSecured
    }

    func handlerAdded(context: ChannelHandlerContext) {
        number = table.opened(context.channel)
        handle(isSecured ? .handshakeBegun : .opened, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        if let number { table.closed(number) }
        number = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent { handle(.opened, context) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: handle(.requestHead, context)
        case .body: break
        case .end: handle(.requestEnd, context)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            handle(head.headerFields[.contentType] == EventStream.type ? .streamHead : .responseHead, context)
            context.write(data, promise: promise)
        case .body:
            handle(.partQueued, context)
            write(data, promise, then: .partTaken, context)
        case .end:
            write(data, promise, then: .responseEnd, context)
        }
    }

    /// A limit ends when the bytes have left, not when they are queued.
    private func write(
        _ data: NIOAny, _ promise: EventLoopPromise<Void>?, then event: ConnectionTimes.Event,
        _ context: ChannelHandlerContext
    ) {
        let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess {
            let (timer, context) = loopBound.value
            timer.handle(event, context)
        }
        context.write(data, promise: promise)
    }

    private func handle(_ event: ConnectionTimes.Event, _ context: ChannelHandlerContext) {
        let wasWaiting = times.isWaiting
        let action = times.handle(event)
        if let number, times.isWaiting != wasWaiting { table.waits(number, times.isWaiting) }
        switch action {
        case .nothing:
            break
        case .stop:
            timer?.cancel()
            timer = nil
        case .start(let limit):
            timer?.cancel()
            let loopBound = NIOLoopBound(context, eventLoop: context.eventLoop)
            timer = context.eventLoop.scheduleTask(in: limit) { loopBound.value.close(promise: nil) }
        }
    }
}
