#include "antares_tasks.h"
#include <stdint.h>

// What swift/Runtime/Concurrency.h declares; it is C++ and no part of a toolchain.
#define SWIFT __attribute__((swiftcall))

typedef SWIFT void (*original)(void *job);

extern SWIFT void (*swift_task_enqueueGlobal_hook)(void *job, original original);
// The executor is a structure of two words, which goes in two registers; zeroes are none.
extern SWIFT void swift_job_run(void *job, void *identity, uintptr_t implementation);

static ant_task_taker taker;

static SWIFT void enqueue(void *job, original dispatch)
{
	(void)dispatch;
	taker(job);
}

void ant_take_tasks(ant_task_taker take)
{
	taker = take;
	swift_task_enqueueGlobal_hook = enqueue;
}

void ant_run_task(void *job)
{
	swift_job_run(job, 0, 0);
}
