// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * udphold
 *
 * A UDP socket at port 9000 that nobody reads, for as long as it runs.  Needs
 * no library, not even libc, so that it is small enough to be sent through a
 * guest's serial console.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/syscall.h>

#define PORT	9000

static long call(long n, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

__attribute__((used)) static void start(void)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_port = (PORT & 0xff) << 8 | PORT >> 8,
	};
	const long fd = call(SYS_socket, AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || call(SYS_bind, fd, (long)&any, sizeof(any)))
		call(SYS_exit, 1, 0, 0);
	for (;;)
		call(SYS_pause, 0, 0, 0);
}

__asm__(".globl _start\n_start: and $-16, %rsp\n call start\n");
