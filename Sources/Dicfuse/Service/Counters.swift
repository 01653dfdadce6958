import CacheProtocol
import Synchronization

/// What is counted. The raw values are the names in the status.
enum Counter: String, CaseIterable, Sendable {
    case directoryHits, directoryMisses, blobHits, blobMisses, statHits, statMisses
    case treeFetches, listingFetches, blobFetches, sizeFetches, pinFetches, capabilityFetches
    /// Pins for which nothing had to be asked or waited for.
    case pinsAtHand
    /// Requests for many objects, and what they brought.
    case batchFetches, batchedObjects
    /// Questions where a file of Git LFS is, files that came, and pointers that were found in trees.
    case lfsQuestions, lfsFetches, lfsPointers
    /// Objects fetched before anybody asked, and those that were asked for afterwards.
    case readaheadFetches, readaheadHits
    /// Objects and directories given to workers before a job asked for them.
    case givenAhead
    case bytesFetched, retries, negativeHits
    /// Requests to origins that took longer than is usual.
    case slowFetches
    /// How often nothing answered any more, and requests that were turned away meanwhile.
    case outages, offlineRefusals
    case refusedTrees, verifyFailures, sizeMismatches, damagedObjects, storageFailures
    case evictedObjects, limitsUnmet, checkedObjects, missingObjects, adoptedObjects, damagedIndexes, salvagedEntries
    case guessedModes
    /// Sealed images made, those of them that were made from another one, snapshots that could not be sealed because a size or mode is not known or for another reason, and images that were
    /// not as written.
    case sealedImages, imagesFromOthers, unsealedForSizes, unsealed, damagedImages
    /// Imported repositories found, and directories of them that had moved on before they were seen.
    case unpinnableImports, movedImports
    case messages, protocolErrors, cancelled
}

/// Counts that any thread may raise.
final class Counters: Sendable {
    private static let count = Counter.allCases.count + CacheError.Code.allCases.count + 1
    private nonisolated(unsafe) let values: UnsafeMutablePointer<Atomic<UInt64>>
    private static let positions = Dictionary(
        uniqueKeysWithValues: Counter.allCases.enumerated().map { ($1, $0) })

    init() {
        values = .allocate(capacity: Self.count)
        for index in 0..<Self.count { (values + index).initialize(to: Atomic(0)) }
    }

    deinit {
        values.deinitialize(count: Self.count)
        values.deallocate()
    }

    func add(_ counter: Counter, _ amount: UInt64 = 1) {
        values[Self.positions[counter] ?? 0].add(amount, ordering: .relaxed)
    }

    /// Counts an error that was answered to somebody.
    func add(failure code: CacheError.Code) {
        values[Counter.allCases.count + Int(code.rawValue)].add(1, ordering: .relaxed)
    }

    subscript(counter: Counter) -> UInt64 {
        values[Self.positions[counter] ?? 0].load(ordering: .relaxed)
    }

    subscript(failure code: CacheError.Code) -> UInt64 {
        values[Counter.allCases.count + Int(code.rawValue)].load(ordering: .relaxed)
    }
}
