import Glibc

/// Which slot of the session memory belongs to the calling thread: libfuse's callbacks are not told the number of their request, the slot
/// holds it.
enum ReaderSlot {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()

    static func set(_ slot: Int) {
        pthread_setspecific(key, UnsafeRawPointer(bitPattern: slot + 1))
    }

    /// Nil on a thread that is no reader.
    static var current: Int? {
        pthread_getspecific(key).map { Int(bitPattern: $0) - 1 }
    }
}
