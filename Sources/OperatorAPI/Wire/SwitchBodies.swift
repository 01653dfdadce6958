import Supervision

/// What `POST /mounts/{id}/cl` says in its body, and `DELETE` in its body or its parameters.
enum SwitchBody {
    private struct Body: Decodable {
        var cl: String?
        var path: String?
        var base: String?
        var rev: String?
        var carry: Bool?
        var discard: Bool?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case cl
            case path = "cl_path"
            case base, rev, carry, discard
        }
    }

    /// Throws `.badPayload` or `.invalidRequest`.
    static func setting(_ body: some Collection<UInt8>) throws(SupervisorError) -> SwitchRequest {
        let body = try decode(body, known: Body.CodingKeys.allCases.map(\.rawValue))
        guard let name = body.cl, !name.isEmpty else {
            throw SupervisorError(.badPayload, "field `cl` is missing: the name of a changelist; DELETE takes it away")
        }
        if let base = body.base, base != "cl" {
            throw SupervisorError(.badPayload, "field `base` takes \"cl\"; a revision is `rev`")
        }
        let changelist = ChangelistRequest(
            name: name, path: body.path, base: body.base == nil ? .revision : .own)
        return SwitchRequest(changelist: changelist, revision: body.rev, writes: try writes(body.carry, body.discard))
    }

    /// Throws `.badPayload` or `.invalidRequest`.
    static func clearing(_ body: some Collection<UInt8>, path: String) throws(SupervisorError) -> SwitchRequest {
        let decoded = body.isEmpty ? Body() : try decode(body, known: ["carry", "discard"])
        var (carry, discard) = (decoded.carry, decoded.discard)
        for (name, on) in try Query.flags(of: path, known: ["carry", "discard"]) {
            if name == "carry" { carry = on } else { discard = on }
        }
        return SwitchRequest(changelist: nil, writes: try writes(carry, discard))
    }

    private static func decode(_ body: some Collection<UInt8>, known: [String]) throws(SupervisorError) -> Body {
        try StrictBody.decode(
            Body.self, from: body, known: known, like: "{\"cl\": \"NAME\", \"carry\": true}")
    }

    private static func writes(_ carry: Bool?, _ discard: Bool?) throws(SupervisorError) -> SwitchRequest.Writes {
        switch (carry ?? false, discard ?? false) {
        case (true, true): throw SupervisorError(.invalidRequest, "carry and discard exclude each other")
        case (true, false): .carry
        case (false, true): .discard
        case (false, false): .refuse
        }
    }
}

/// How an exchange of the changelist went, or goes.
struct SwitchReportBody: Encodable {
    let report: SwitchReport

    init(_ report: SwitchReport) {
        self.report = report
    }

    private enum Key: String, CodingKey {
        case state, reason, cl, carried, conflicts, holders
        case startedAt = "started_at_epoch_ms"
        case duration = "duration_ms"
        case holdersComplete = "holders_complete"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        var reason: String?
        if case .failed(let why) = report.state { reason = why }
        try container.encode(report.state.name, forKey: .state)
        try container.encode(reason, forKey: .reason)
        try container.encode(report.changelist, forKey: .cl)
        try container.encode(report.startedAt, forKey: .startedAt)
        try container.encode(report.duration, forKey: .duration)
        try container.encode(report.carried, forKey: .carried)
        try container.encode(report.conflicts, forKey: .conflicts)
        try container.encode(report.holders.map(HolderBody.init), forKey: .holders)
        try container.encode(report.holdersComplete, forKey: .holdersComplete)
    }
}
