import Glibc

/// The descriptors 0, 1 and 2 of this process.
public enum StandardDescriptors {
    /// Fills those that the caller closed: otherwise the next file that is opened takes the number, and whoever reads or writes "standard"
    /// output gets at it. What is put there refuses its use with EBADF, as a closed one would. First thing in a program.
    ///
    /// - Throws: What open(2) says of /dev/null.
    public static func fill() throws(SystemError) {
        for number in 0...2 as ClosedRange<Int32> where fcntl(number, F_GETFD) < 0 {
            // The lowest free number, by POSIX.
            let flags = number == 0 ? O_WRONLY : O_RDONLY
            try check(open("/dev/null", flags), "open", "/dev/null")
        }
    }
}
