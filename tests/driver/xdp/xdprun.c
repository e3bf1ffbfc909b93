// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdprun IFINDEX pass|drop|echo|redirect [IFINDEX2]
 *
 * Attaches an XDP program to an interface, in its driver, for as long as it
 * runs.  Needs no library, not even libc, so that it is small enough to be
 * sent through a guest's serial console, and no compiler for BPF: the
 * programs are written out below.
 *
 *   echo      answers every ping itself, for whatever address it was sent
 *   redirect  sends all frames out of the other interface
 */
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <sys/syscall.h>

#define INSN(c, d, s, o, i)						\
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s),	\
			    .off = (o), .imm = (i) })
#define MOV_IMM(d, i)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ADD_IMM(d, i)	INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define ADD_REG(d, s)	INSN(BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define AND_IMM(d, i)	INSN(BPF_ALU64 | BPF_AND | BPF_K, d, 0, 0, i)
#define RSH_IMM(d, i)	INSN(BPF_ALU64 | BPF_RSH | BPF_K, d, 0, 0, i)
#define LOAD(sz, d, s, o)	INSN(BPF_LDX | BPF_MEM | (sz), d, s, o, 0)
#define STORE(sz, d, o, s)	INSN(BPF_STX | BPF_MEM | (sz), d, s, o, 0)
#define JGT(d, s, o)	INSN(BPF_JMP | BPF_JGT | BPF_X, d, s, o, 0)
#define JNE(d, i, o)	INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define CALL(f)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static long call(long n, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static int equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void say(const char *text)
{
	long len = 0;

	while (text[len])
		len++;
	call(SYS_write, 1, (long)text, len);
}

static int number(const char *text)
{
	int n = 0;

	while (*text >= '0' && *text <= '9')
		n = n * 10 + *text++ - '0';
	return n;
}

static void fail(const char *what)
{
	say("xdprun: ");
	say(what);
	say("\n");
	call(SYS_exit, 1, 0, 0);
}

static int load(const struct bpf_insn *insns, int count)
{
	static char log[4096];
	union bpf_attr attr;
	long fd;

	for (unsigned int i = 0; i < sizeof(attr); i++)
		((volatile char *)&attr)[i] = 0;
	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (__u64)insns;
	attr.insn_cnt = count;
	attr.license = (__u64)"GPL";
	attr.log_buf = (__u64)log;
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	fd = call(SYS_bpf, BPF_PROG_LOAD, (long)&attr, sizeof(attr));
	if (fd < 0) {
		say(log);
		fail("the program was refused");
	}
	return fd;
}

static void attach(int program, int ifindex)
{
	union bpf_attr attr;

	for (unsigned int i = 0; i < sizeof(attr); i++)
		((volatile char *)&attr)[i] = 0;
	attr.link_create.prog_fd = program;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = BPF_XDP;
	attr.link_create.flags = XDP_FLAGS_DRV_MODE;
	if (call(SYS_bpf, BPF_LINK_CREATE, (long)&attr, sizeof(attr)) < 0)
		fail("cannot attach");
}

/* How far it is from instruction @at to the last but one of "echo" */
#define PASS_AFTER(at)	(36 - (at) - 1)

static int choose(const char *name, int other)
{
	const struct bpf_insn verdict[] = {
		MOV_IMM(BPF_REG_0, equal(name, "drop") ? XDP_DROP : XDP_PASS),
		EXIT,
	};
	const struct bpf_insn redirect[] = {
		MOV_IMM(BPF_REG_1, other),
		MOV_IMM(BPF_REG_2, 0),
		CALL(BPF_FUNC_redirect),
		EXIT,
	};
	const struct bpf_insn echo[] = {
		/* 0: Ethernet, IPv4 without options, ICMP echo request? */
		LOAD(BPF_W, BPF_REG_2, BPF_REG_1, offsetof(struct xdp_md, data)),
		LOAD(BPF_W, BPF_REG_3, BPF_REG_1,
		     offsetof(struct xdp_md, data_end)),
		MOV_REG(BPF_REG_4, BPF_REG_2),
		ADD_IMM(BPF_REG_4, 42),
		JGT(BPF_REG_4, BPF_REG_3, PASS_AFTER(4)),
		LOAD(BPF_H, BPF_REG_4, BPF_REG_2, 12),
		JNE(BPF_REG_4, 0x0008, PASS_AFTER(6)),
		LOAD(BPF_B, BPF_REG_4, BPF_REG_2, 14),
		JNE(BPF_REG_4, 0x45, PASS_AFTER(8)),
		LOAD(BPF_B, BPF_REG_4, BPF_REG_2, 23),
		JNE(BPF_REG_4, 1, PASS_AFTER(10)),
		LOAD(BPF_H, BPF_REG_4, BPF_REG_2, 34),
		JNE(BPF_REG_4, 0x0008, PASS_AFTER(12)),
		/* 13: exchange the MAC addresses */
		LOAD(BPF_W, BPF_REG_4, BPF_REG_2, 0),
		LOAD(BPF_H, BPF_REG_5, BPF_REG_2, 4),
		LOAD(BPF_W, BPF_REG_6, BPF_REG_2, 6),
		LOAD(BPF_H, BPF_REG_7, BPF_REG_2, 10),
		STORE(BPF_W, BPF_REG_2, 0, BPF_REG_6),
		STORE(BPF_H, BPF_REG_2, 4, BPF_REG_7),
		STORE(BPF_W, BPF_REG_2, 6, BPF_REG_4),
		STORE(BPF_H, BPF_REG_2, 10, BPF_REG_5),
		/* 21: exchange the IP addresses */
		LOAD(BPF_W, BPF_REG_4, BPF_REG_2, 26),
		LOAD(BPF_W, BPF_REG_5, BPF_REG_2, 30),
		STORE(BPF_W, BPF_REG_2, 26, BPF_REG_5),
		STORE(BPF_W, BPF_REG_2, 30, BPF_REG_4),
		/* 25: type 8 becomes 0, so the checksum grows by 8, carry round */
		MOV_IMM(BPF_REG_4, 0),
		STORE(BPF_B, BPF_REG_2, 34, BPF_REG_4),
		LOAD(BPF_H, BPF_REG_4, BPF_REG_2, 36),
		ADD_IMM(BPF_REG_4, 0x0008),
		MOV_REG(BPF_REG_5, BPF_REG_4),
		RSH_IMM(BPF_REG_5, 16),
		AND_IMM(BPF_REG_4, 0xffff),
		ADD_REG(BPF_REG_4, BPF_REG_5),
		STORE(BPF_H, BPF_REG_2, 36, BPF_REG_4),
		MOV_IMM(BPF_REG_0, XDP_TX),
		EXIT,
		/* 36: everything else */
		MOV_IMM(BPF_REG_0, XDP_PASS),
		EXIT,
	};

	if (equal(name, "echo"))
		return load(echo, sizeof(echo) / sizeof(*echo));
	if (equal(name, "redirect"))
		return load(redirect, sizeof(redirect) / sizeof(*redirect));
	if (equal(name, "pass") || equal(name, "drop"))
		return load(verdict, sizeof(verdict) / sizeof(*verdict));
	fail("pass, drop, echo or redirect");
	return -1;
}

__attribute__((used)) static void start(long *stack)
{
	const char **argv = (const char **)(stack + 1);

	if (*stack < 3)
		fail("IFINDEX pass|drop|echo|redirect [IFINDEX2]");
	attach(choose(argv[2], *stack > 3 ? number(argv[3]) : 0),
	       number(argv[1]));
	say("attached\n");
	for (;;)
		call(SYS_pause, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
