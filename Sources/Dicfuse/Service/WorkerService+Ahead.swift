import CacheProtocol
import GitObjects
import LinuxSystem
import WireFormat

extension WorkerService {
    /// Hands over what is here of the entries that a job will probably need next. Nothing is fetched, and a worker that does not keep up
    /// gets nothing.
    func ahead(_ range: AheadRange, _ asker: Asker, _ reader: borrowing IndexReader) -> Handled {
        do throws(IndexError) {
            switch range.wanted {
            case .contents: try contents(range, asker, reader)
            case .directories: try directories(range, asker, reader)
            }
        } catch {
            asker.store.unreadable(error)
        }
        return .done
    }

    private func contents(_ range: AheadRange, _ asker: Asker, _ reader: borrowing IndexReader) throws(IndexError) {
        let (entries, next) = try entries(of: range, reader)
        var answer = AheadAnswer(directory: range.directory, wanted: .contents, next: next, items: [])
        var files: [SharedFD] = []
        for (index, entry) in entries where entry.isComplete && entry.size > 0 {
            guard let record = try reader.blob(entry.id), record.size == entry.size,
                let file = asker.store.localFile(entry.id, record)
            else { continue }
            files.append(file)
            answer.items.append(.init(index: index, content: .file(size: entry.size)))
            // It counts as used: of what is handed over little is not.
            asker.store.noteUsed(entry.id)
            asker.store.noteRequest(entry.id, by: asker.connection.id)
        }
        counters.add(.givenAhead, UInt64(files.count))
        asker.offer(answer, files)
    }

    private func directories(_ range: AheadRange, _ asker: Asker, _ reader: borrowing IndexReader) throws(IndexError) {
        let (entries, next) = try entries(of: range, reader)
        var answer = AheadAnswer(directory: range.directory, wanted: .directories, next: next, items: [])
        var room = WorkerReply.inlineDirectoryLimit
        for (index, entry) in entries {
            guard let packed = try reader.packedDirectory(entry.id) else { continue }
            guard packed.count + AheadAnswer.itemOverhead <= room else {
                answer.next = index
                break
            }
            room -= packed.count + AheadAnswer.itemOverhead
            answer.items.append(.init(index: index, content: .directory(packed)))
            asker.store.noteUsed(entry.id)
            asker.store.noteListed(entry.id, packed)
        }
        counters.add(.givenAhead, UInt64(answer.items.count))
        asker.offer(answer, [])
    }

    /// The entries that are meant, and the index of the first behind them.
    private func entries(
        of range: AheadRange, _ reader: borrowing IndexReader
    ) throws(IndexError) -> (entries: [(index: Int, entry: PackedEntry)], next: Int?) {
        guard let packed = try reader.packedDirectory(range.directory), let listing = try? PackedDirectory(packed)
        else {
            return ([], nil)
        }
        var entries: [(index: Int, entry: PackedEntry)] = []
        for index in min(range.first, listing.count)..<listing.count where listing[index].mode.isWanted(range.wanted) {
            guard entries.count < range.count else { return (entries, index) }
            entries.append((index, listing[index]))
        }
        return (entries, nil)
    }
}
