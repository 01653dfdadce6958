#pragma once
#include <stdint.h>

// Atomic access to 64-bit words of memory that processes share, where Swift's own atomics cannot be placed.

static inline uint64_t ant_load_acquire(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void ant_store_release(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t ant_add_relaxed(uint64_t *word, uint64_t value)
{
	return __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}
