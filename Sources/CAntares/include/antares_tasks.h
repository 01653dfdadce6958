#pragma once

/// Takes a job of Swift's concurrency runtime, to be run by ant_run_task on any thread.
typedef void (*ant_task_taker)(void *job);

/// From now on gives `take` all jobs that belong to no executor (the hook of the runtime's global executor).
void ant_take_tasks(ant_task_taker take);
/// Runs a job on the calling thread, as one of no executor.
void ant_run_task(void *job);
/// From now on jobs of no executor that the calling thread causes stay with it (a few of them; more go the usual way).
void ant_keep_tasks(void);
/// Ends that, and runs those that stayed, on the calling thread.
void ant_run_kept_tasks(void);
