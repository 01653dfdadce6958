/// How an exchange of a mount's changelist went.
struct SwitchReport: Decodable, Hashable {
    let state: String
    let reason: String?
    let carried: Int
    let conflicts: [String]
    let holders: [UnmountReport.Holder]
}
