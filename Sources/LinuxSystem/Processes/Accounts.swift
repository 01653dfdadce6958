import Glibc

/// Users and groups of the system (getpwnam_r(3), getgrnam_r(3)).
public enum Accounts {
    public struct User: Hashable, Sendable {
        public let uid: UInt32
        public let gid: UInt32

        public init(uid: UInt32, gid: UInt32) {
            self.uid = uid
            self.gid = gid
        }
    }

    /// A user by name, or by number (its group is then the same number unless the user exists). Nil if there is no such user.
    public static func user(_ nameOrNumber: String) -> User? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16384)
        if let number = UInt32(nameOrNumber) {
            getpwuid_r(number, &entry, &buffer, buffer.count, &found)
            return User(uid: number, gid: found == nil ? number : entry.pw_gid)
        }
        getpwnam_r(nameOrNumber, &entry, &buffer, buffer.count, &found)
        return found == nil ? nil : User(uid: entry.pw_uid, gid: entry.pw_gid)
    }

    /// A group by name or number.
    public static func group(_ nameOrNumber: String) -> UInt32? {
        if let number = UInt32(nameOrNumber) { return number }
        var entry = group_record()
        var found: UnsafeMutablePointer<group_record>?
        var buffer = [CChar](repeating: 0, count: 16384)
        getgrnam_r(nameOrNumber, &entry, &buffer, buffer.count, &found)
        return found == nil ? nil : entry.gr_gid
    }

    private typealias group_record = Glibc.group
}
