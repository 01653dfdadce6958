/// What all stores of an owner share.
struct Housekeeping: Sendable {
    let memory: SpillBudget
    let evictor: Evictor
    let sweeper: Sweeper
}
