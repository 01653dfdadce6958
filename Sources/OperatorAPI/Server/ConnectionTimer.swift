import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client is too slow. Lives on its channel's event loop.
final class ConnectionTimer: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var times: ConnectionTimes
    private var timer: Scheduled<Void>?

    init(limits: ConnectionLimits) {
        times = ConnectionTimes(limits: limits)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        handle(.opened, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
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
        case .head:
            handle(.responseHead, context)
        case .body:
            break
        case .end:
            // The limit ends when the bytes have left, not when they are queued.
            let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
            let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            promise.futureResult.whenSuccess {
                let (timer, context) = loopBound.value
                timer.handle(.responseEnd, context)
            }
            context.write(data, promise: promise)
            return
        }
        context.write(data, promise: promise)
    }

    private func handle(_ event: ConnectionTimes.Event, _ context: ChannelHandlerContext) {
        switch times.handle(event) {
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
