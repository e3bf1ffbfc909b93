/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts tests, not checks: a test fails if any of its checks does */
#ifndef TESTS_DRIVER_CHECK_H
#define TESTS_DRIVER_CHECK_H

#include <stdbool.h>
#include <stdio.h>

extern int check_failures;	/* in the running test */

#define CHECK(cond)							\
do {									\
	if (!(cond)) {							\
		if (check_failures++ < 10)				\
			printf("  %s:%d: %s\n", __FILE__, __LINE__,	\
			       #cond);					\
	}								\
} while (0)

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(fn)	{ #fn, fn }
#define TESTS_END	{ NULL, NULL }

/* The suites; each ends with TESTS_END */
extern const struct test ring_tests[];
extern const struct test hostile_tests[];
extern const struct test fuzz_tests[];
extern const struct test segs_tests[];
extern const struct test frame_tests[];
extern const struct test accept_tests[];
extern const struct test packed_tests[];
extern const struct test packed_hostile_tests[];
extern const struct test packed_fuzz_tests[];
extern const struct test rxbuf_tests[];
extern const struct test rxbuf64_tests[];

#endif /* TESTS_DRIVER_CHECK_H */
