import Glibc

/// A system call that failed: which one, on what, and the kernel's error number.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    public let errno: Errno
    /// The call, named as its man page is, or the step of a larger operation.
    public let operation: String
    /// What it was done to, mostly a path; empty if there is nothing to name.
    public let subject: String
    /// What the kernel said beyond the number (the mount API's log), or empty.
    public let detail: String

    public init(_ errno: Errno, _ operation: String, _ subject: String = "", detail: String = "") {
        self.errno = errno
        self.operation = operation
        self.subject = subject
        self.detail = detail
    }

    public var description: String {
        let what = subject.isEmpty ? operation : "\(operation) \(subject)"
        return detail.isEmpty ? "\(what): \(errno)" : "\(what): \(errno) (\(detail))"
    }
}

extension SystemError {
    /// The disk, the quota or the count of inodes is used up.
    public var isLackOfSpace: Bool {
        errno == .noSpace || errno == .quotaExceeded
    }
}

/// The result of a system call that answers -1 for failure, or the error it left in errno(3).
@discardableResult
public func check<T: SignedInteger>(
    _ result: T, _ operation: String, _ subject: @autoclosure () -> String = ""
) throws(SystemError) -> T {
    guard result == -1 else { return result }
    throw SystemError(Errno.current, operation, subject())
}

/// As `check`, and repeats the call while it is interrupted by a signal.
@discardableResult
public func retrying<T: SignedInteger>(
    _ operation: String, _ subject: @autoclosure () -> String = "", _ call: () -> T
) throws(SystemError) -> T {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error != .interrupted { throw SystemError(error, operation, subject()) }
    }
}
