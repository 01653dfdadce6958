/// The answer to `GET /mounts`: each mount as it is understood, and as it came, so that a part of the answer can be passed on with members that are
/// not known here.
struct ListedMounts {
    private let all: [(mount: MountReport, json: ArraySlice<UInt8>)]
    private let answer: [UInt8]

    init(_ answer: SupervisorClient.Answer<MountList>) {
        self.answer = answer.json
        all = Array(zip(answer.value.mounts, JSONText.objects(ofFirstArrayIn: answer.json)))
    }

    /// Those that the options choose, in their order.
    func selected(by options: ListOptions) -> [MountReport] {
        options.select(all.map(\.mount))
    }

    /// The answer with those mounts only; as it came if the options choose and order nothing.
    func json(selectedBy options: ListOptions) -> [UInt8] {
        guard options.chooses else { return answer }
        let objects = options.indices(of: all.map(\.mount)).map { all[$0].json }
        var json = Array("{\"mounts\":[".utf8)
        json += objects.joined(separator: Array(",".utf8))
        return json + Array("],\"total_count\":\(objects.count)}\n".utf8)
    }
}
