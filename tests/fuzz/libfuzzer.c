/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer for a target that is not C: a shared library, so that a .NET
 * program can hand it a function, and memory of which it knows that each
 * non-zero byte is something that was reached.
 */
#include <stddef.h>
#include <stdint.h>

/* As many as SharpFuzz's instrumentation counts in */
__attribute__((section("__libfuzzer_extra_counters")))
static uint8_t counters[65536];

int LLVMFuzzerRunDriver(int *argc, char ***argv,
			int (*target)(const uint8_t *data, size_t size));

__attribute__((visibility("default"))) uint8_t *fuzz_counters(void);
__attribute__((visibility("default")))
int fuzz_run(int argc, char **argv,
	     int (*target)(const uint8_t *data, size_t size));

uint8_t *fuzz_counters(void)
{
	return counters;
}

int fuzz_run(int argc, char **argv,
	     int (*target)(const uint8_t *data, size_t size))
{
	return LLVMFuzzerRunDriver(&argc, &argv, target);
}
