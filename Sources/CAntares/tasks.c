#include "antares_tasks.h"
#include <stdint.h>

// What swift/Runtime/Concurrency.h declares; it is C++ and no part of a toolchain.
#define SWIFT __attribute__((swiftcall))

typedef SWIFT void (*original)(void *job);

extern SWIFT void (*swift_task_enqueueGlobal_hook)(void *job, original original);
// The executor is a structure of two words, which goes in two registers; zeroes are none.
extern SWIFT void swift_job_run(void *job, void *identity, uintptr_t implementation);

static ant_task_taker taker;

enum { KEPT_LIMIT = 4 };

static _Thread_local struct {
	int keeps;
	int count;
	void *jobs[KEPT_LIMIT];
} kept;

static SWIFT void enqueue(void *job, original dispatch)
{
	(void)dispatch;
	if (kept.keeps && kept.count < KEPT_LIMIT)
		kept.jobs[kept.count++] = job;
	else
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

void ant_keep_tasks(void)
{
	kept.keeps = 1;
}

void ant_run_kept_tasks(void)
{
	int count = kept.count;
	kept.keeps = 0;
	kept.count = 0;
	// What these cause goes the usual way, so nobody adds to the list meanwhile.
	for (int i = 0; i < count; i++)
		ant_run_task(kept.jobs[i]);
}
