// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include "check.h"

int check_failures;

/* ring_tests [REPORT]: runs all tests and writes a JUnit report */
int main(int argc, char **argv)
{
	const struct test *suites[] = {
		ring_tests, hostile_tests, segs_tests, frame_tests,
		accept_tests, fuzz_tests,
		packed_tests, packed_hostile_tests, packed_fuzz_tests,
		rxbuf_tests, rxbuf64_tests,
	};
	FILE *report = fopen(argc > 1 ? argv[1] : "/dev/null", "w");
	int passed = 0, failed = 0;

	if (!report) {
		perror(argv[1]);
		return 1;
	}
	fputs("<testsuite name=\"driver\">\n", report);
	/* several tests look for unbounded work */
	alarm(300);
	/* show how far we came if a sanitizer ends the process */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned int i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
		for (const struct test *t = suites[i]; t->name; t++) {
			check_failures = 0;
			t->run();
			printf("%s %s\n", check_failures ? "FAIL" : "ok  ",
			       t->name);
			fprintf(report, "<testcase name=\"%s\">%s</testcase>\n",
				t->name, check_failures ? "<failure/>" : "");
			if (check_failures)
				failed++;
			else
				passed++;
		}
	}
	fputs("</testsuite>\n", report);
	fclose(report);
	printf("%d passed, %d failed\n", passed, failed);
	return failed || !passed;
}
