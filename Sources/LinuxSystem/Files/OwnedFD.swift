import CAntares
import Glibc

/// A file descriptor with one owner, closed when the owner lets go of it.
public struct OwnedFD: ~Copyable, Sendable {
    /// The number, for system calls made while the owner is alive. It must not be kept or closed.
    public let raw: Int32

    /// Takes over a descriptor that nobody else will close.
    public init(taking raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Gives up ownership: the caller now has to close the number.
    public consuming func take() -> Int32 {
        let number = raw
        discard self
        return number
    }

    /// A second descriptor of the same open file (fcntl(2) F_DUPFD_CLOEXEC).
    public borrowing func duplicate() throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try check(ant_dup_cloexec(raw, 3), "fcntl(F_DUPFD_CLOEXEC)"))
    }

    public borrowing func setNonBlocking(_ on: Bool) throws(SystemError) {
        try check(ant_set_nonblocking(raw, on ? 1 : 0), "fcntl(O_NONBLOCK)")
    }
}

/// A file descriptor that several parts of a program share; closed when the last one lets go.
public final class SharedFD: Sendable {
    private let owned: OwnedFD

    public init(_ owned: consuming OwnedFD) {
        self.owned = owned
    }

    /// The number, valid while this object is referenced.
    public var raw: Int32 {
        owned.raw
    }

    public func duplicate() throws(SystemError) -> OwnedFD {
        try owned.duplicate()
    }

    /// Of the open file, which everybody shares who has a descriptor of it.
    public func setNonBlocking(_ on: Bool) throws(SystemError) {
        try owned.setNonBlocking(on)
    }
}
