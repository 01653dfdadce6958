import ArgumentParser

extension CompletionKind {
    /// The jobs that have mounts, and the ids of mounts without one, of the supervisor that the variables name. A shell does not wait for one that does not
    /// answer.
    static var mounts: CompletionKind {
        .custom { words, _, _ in
            let socket = words.lastIndex(of: "--socket").flatMap {
                words.indices.contains($0 + 1) ? words[$0 + 1] : nil
            }
            guard let global = try? GlobalOptions.parse(socket.map { ["--socket", $0] } ?? []) else { return [] }
            let client = SupervisorClient(address: global.address, timeout: 1)
            return (try? client.mounts().value.mounts.map { $0.job ?? $0.id }) ?? []
        }
    }
}
