import CAntares
import Glibc

/// An error number of the kernel, as in errno(3).
public struct Errno: RawRepresentable, Error, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The calling thread's errno.
    public static var current: Errno {
        Errno(rawValue: errno)
    }

    public static let notPermitted = Errno(rawValue: EPERM)
    public static let notFound = Errno(rawValue: ENOENT)
    public static let noSuchDeviceAddress = Errno(rawValue: ENXIO)
    public static let noSuchProcess = Errno(rawValue: ESRCH)
    public static let interrupted = Errno(rawValue: EINTR)
    public static let ioError = Errno(rawValue: EIO)
    public static let badFileDescriptor = Errno(rawValue: EBADF)
    public static let noChild = Errno(rawValue: ECHILD)
    public static let wouldBlock = Errno(rawValue: EAGAIN)
    public static let outOfMemory = Errno(rawValue: ENOMEM)
    public static let accessDenied = Errno(rawValue: EACCES)
    public static let busy = Errno(rawValue: EBUSY)
    public static let exists = Errno(rawValue: EEXIST)
    public static let noDevice = Errno(rawValue: ENODEV)
    public static let notADirectory = Errno(rawValue: ENOTDIR)
    public static let isADirectory = Errno(rawValue: EISDIR)
    public static let invalidArgument = Errno(rawValue: EINVAL)
    public static let noSpace = Errno(rawValue: ENOSPC)
    public static let readOnly = Errno(rawValue: EROFS)
    public static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
    public static let notImplemented = Errno(rawValue: ENOSYS)
    public static let notEmpty = Errno(rawValue: ENOTEMPTY)
    public static let tooManyLinks = Errno(rawValue: ELOOP)
    public static let noData = Errno(rawValue: ENODATA)
    public static let crossDevice = Errno(rawValue: EXDEV)
    public static let messageTooLong = Errno(rawValue: EMSGSIZE)
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    public static let connectionReset = Errno(rawValue: ECONNRESET)
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    public static let connectionAborted = Errno(rawValue: ECONNABORTED)
    public static let notConnected = Errno(rawValue: ENOTCONN)
    public static let brokenPipe = Errno(rawValue: EPIPE)
    public static let addressInUse = Errno(rawValue: EADDRINUSE)
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    public static let stale = Errno(rawValue: ESTALE)
    public static let cancelled = Errno(rawValue: ECANCELED)
    public static let overflow = Errno(rawValue: EOVERFLOW)
    public static let protocolError = Errno(rawValue: EPROTO)
    public static let quotaExceeded = Errno(rawValue: EDQUOT)
    /// The file system found itself inconsistent (ext4 and XFS: a checksum or structure is wrong).
    public static let needsCleaning = Errno(rawValue: EUCLEAN)
}

extension Errno: CustomStringConvertible {
    /// The text of strerror(3) with the symbolic name's number, for logs and messages.
    public var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let base = buffer.baseAddress, let text = ant_strerror(rawValue, base, buffer.count) else {
                return "errno \(rawValue)"
            }
            return String(cString: text)
        }
    }
}
