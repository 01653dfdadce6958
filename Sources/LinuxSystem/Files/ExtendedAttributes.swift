import CAntares
import Glibc

/// Values of extended attributes (xattr(7)).
public enum ExtendedAttributes {
    /// XATTR_SIZE_MAX is 64 KB; what an overlay writes is a path at most, which is a page.
    private static let limit = 4096

    /// Of an open file or directory. Nil if it has none of this name, or its filesystem none at all; ERANGE above a page.
    public static func value(of fd: Int32, _ attribute: String) throws(SystemError) -> [UInt8]? {
        try read(attribute) { ant_xattr(fd, attribute, $0.baseAddress, UInt64($0.count)) }
    }

    /// Of an entry of a directory, which may be a link and is not opened.
    public static func value(at directory: Int32, _ name: [UInt8], _ attribute: String) throws(SystemError) -> [UInt8]?
    {
        try read(attribute) { buffer in
            Directory.withCString(name) {
                ant_xattr_at(directory, $0, attribute, buffer.baseAddress, UInt64(buffer.count))
            }
        }
    }

    /// Takes the attribute from what is at a path below an open directory, which is not opened. The directories on the way must be no links. No error if it has
    /// none of this name.
    public static func remove(below directory: Int32, _ path: [UInt8], _ attribute: String) throws(SystemError) {
        let result = Directory.withCString(path) { ant_xattr_remove_below(directory, $0, attribute) }
        guard result == -1 else { return }
        let error = Errno.current
        if error == .noData || error == .notSupported { return }
        throw SystemError(error, "removexattr", attribute)
    }

    private static func read(
        _ attribute: String, _ call: (UnsafeMutableRawBufferPointer) -> Int64
    ) throws(SystemError) -> [UInt8]? {
        let found: Result<[UInt8]?, SystemError> = withUnsafeTemporaryAllocation(byteCount: limit, alignment: 8) {
            buffer in
            let count = call(buffer)
            if count >= 0 { return .success(Array(buffer[..<Int(count)])) }
            let error = Errno.current
            if error == .noData || error == .notSupported { return .success(nil) }
            return .failure(SystemError(error, "getxattr", attribute))
        }
        return try found.get()
    }
}
