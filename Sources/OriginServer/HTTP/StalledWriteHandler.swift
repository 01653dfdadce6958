import NIOCore

/// Closes a connection whose peer takes nothing: when writes are outstanding and none has completed within the deadline.
///
/// The server's own idle timeout looks at reading only, so a client that stops reading would keep its answer, and what produces
/// it, for ever.
final class StalledWriteHandler: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = NIOAny
    typealias OutboundOut = NIOAny

    private let deadline: TimeAmount
    private var outstanding = 0
    private var completed: UInt64 = 0
    private var check: Scheduled<Void>?

    init(deadline: TimeAmount) {
        self.deadline = deadline
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let promise = promise ?? context.eventLoop.makePromise()
        self.outstanding += 1
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.outstanding -= 1
            self.completed += 1
            if self.outstanding == 0 {
                self.check?.cancel()
                self.check = nil
            }
        }
        if self.check == nil { self.schedule(context) }
        context.write(data, promise: promise)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.check?.cancel()
        self.check = nil
    }

    private func schedule(_ context: ChannelHandlerContext) {
        let before = self.completed
        self.check = context.eventLoop.assumeIsolated().scheduleTask(in: self.deadline) {
            self.check = nil
            if self.outstanding == 0 { return }
            if self.completed == before {
                context.close(promise: nil)
            } else {
                self.schedule(context)
            }
        }
    }
}

@available(*, unavailable)
extension StalledWriteHandler: Sendable {}
