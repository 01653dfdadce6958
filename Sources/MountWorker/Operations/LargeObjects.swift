import GitObjects
import LinuxSystem
import WorkerProtocol

/// Objects that are served as files: those of which the first reader should not have to wait for all.
///
/// They are kept as blocks of one node in the session memory, where `parent` is the size, so that the next worker knows them.
struct LargeObjects {
    private let memory: SessionMemory
    private var places: [ObjectID: Int] = [:]

    /// Reads what earlier workers noted. EPROTO if it is not what this form writes.
    init(_ memory: SessionMemory) throws(SystemError) {
        self.memory = memory
        for index in 1..<max(1, memory.blockCount) {
            let block = memory.block(index)
            guard block.count == 1, block.base == TriggerNode.large(index - 1).number else {
                throw SystemError(
                    .protocolError, "reading the node table", "block \(index)", detail: "it is no large object")
            }
            places[block.directory] = index - 1
        }
    }

    var count: Int {
        places.count
    }

    func object(at place: Int) -> (id: ObjectID, size: UInt64)? {
        guard place >= 0, place < places.count else { return nil }
        let block = memory.block(place + 1)
        return (block.directory, block.parent)
    }

    /// The object's place, a new one if it has none; nil if the table is full. An object has the same size for ever.
    mutating func place(of id: ObjectID, size: UInt64) -> Int? {
        if let known = places[id] { return known }
        let place = places.count
        let block = DirectoryBlock(base: TriggerNode.large(place).number, count: 1, parent: size, directory: id)
        guard memory.append(block) else { return nil }
        places[id] = place
        return place
    }
}
