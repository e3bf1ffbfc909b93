/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that is all of a machine's firmware: 64 KiB for -bios. It does what a mailbox in its memory asks for, and counts
 * interrupts. Plain integer code without protected-mode iret, so that it also runs under a KVM that emulates it.
 * tests/machine/guest.py is the other side; both know these addresses.
 */
        .set MAILBOX, 0x10000
        .set REQUEST, MAILBOX + 0       /* written last by the test */
        .set DONE,    MAILBOX + 4       /* = REQUEST when the request is done */
        .set OP,      MAILBOX + 8
        .set ADDRESS, MAILBOX + 12
        .set VALUE,   MAILBOX + 16      /* in and out */
        .set COUNT,   MAILBOX + 20
        .set READY,   MAILBOX + 24
        .set FAULT,   MAILBOX + 28      /* 0x100 + number of an exception */
        .set STRAY,   MAILBOX + 32      /* interrupts of vectors that nobody uses */
        .set HALTED,  MAILBOX + 36
        .set COUNTS,  MAILBOX + 64      /* of vectors 0x40 to 0x4f */
        .set IDT,     0x11000
        .set PML4,    0x12000           /* the test makes the page tables */
        .set STACK,   0x8000
        .set LAPIC_EOI, 0xfee000b0
        .set LAPIC_SPURIOUS, 0xfee000f0

        .text
        .globl _start
        .code16
_start:
        cli
        cld
        mov     %cs, %ax
        mov     %ax, %ds
        lgdtl   gdt_pointer - _start
        mov     %cr0, %eax
        and     $0x9fffffff, %eax       /* caches on */
        or      $1, %eax
        mov     %eax, %cr0
        ljmpl   $8, $flat

        .code32
flat:
        mov     $16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        mov     $STACK, %esp

        mov     $IDT, %edi
        mov     $exceptions, %eax
        mov     $32, %ecx
        mov     $8, %edx
        call    set_gates
        mov     $stray, %eax
        mov     $256 - 32, %ecx
        xor     %edx, %edx
        call    set_gates
        mov     $IDT + 0x40 * 8, %edi
        mov     $interrupts, %eax
        mov     $16, %ecx
        mov     $8, %edx
        call    set_gates
        lidt    idt_pointer

        mov     $0xff, %al              /* no interrupts from the two PICs */
        out     %al, $0x21
        out     %al, $0xa1
        movl    $0x1ff, LAPIC_SPURIOUS
        movl    $0x600d, READY
        sti
main:
        mov     REQUEST, %ebx
        cmp     DONE, %ebx
        je      main
        mov     OP, %eax
        mov     ADDRESS, %edx
        mov     VALUE, %esi
        mov     COUNT, %ecx
        cmp     $(table_end - table) / 4, %eax
        jae     1f
        call    *table(,%eax,4)
1:      mov     %ebx, DONE
        jmp     main

/* ECX gates from EDI on, to EAX, EAX + EDX, ... */
set_gates:
        mov     %ax, (%edi)
        movw    $8, 2(%edi)
        movw    $0x8e00, 4(%edi)
        mov     %eax, %esi
        shr     $16, %esi
        mov     %si, 6(%edi)
        add     $8, %edi
        add     %edx, %eax
        dec     %ecx
        jnz     set_gates
        ret

/* The requests: EDX address, ESI value, ECX count */
        .balign 4
table:  .long   read8, read16, read32, write8, write16, write32, in8, in16, in32, out8, out16, out32, repeat32, halt
        .long   far_read32, far_write32, repeat_read32
table_end:

read8:  movzbl  (%edx), %eax
        jmp     result
read16: movzwl  (%edx), %eax
        jmp     result
read32: mov     (%edx), %eax
        jmp     result
in8:    xor     %eax, %eax
        in      %dx, %al
        jmp     result
in16:   xor     %eax, %eax
        in      %dx, %ax
        jmp     result
in32:   in      %dx, %eax
result: mov     %eax, VALUE
        ret
write8: mov     %esi, %eax
        mov     %al, (%edx)
        ret
write16:
        mov     %si, (%edx)
        ret
write32:
        mov     %esi, (%edx)
        ret
out8:   mov     %esi, %eax
        out     %al, %dx
        ret
out16:  mov     %esi, %eax
        out     %ax, %dx
        ret
out32:  mov     %esi, %eax
        out     %eax, %dx
        ret
repeat32:
        mov     %esi, (%edx)
        dec     %ecx
        jnz     repeat32
        ret
repeat_read32:
        mov     (%edx), %eax
        dec     %ecx
        jnz     repeat_read32
        jmp     result
halt:   cli                             /* until an interrupt that comes when HALTED says so */
        movl    $1, HALTED
        sti
        hlt
        movl    $0, HALTED
        ret
far_read32:
        call    paging_on
        mov     (%edx), %eax
        call    paging_off
        jmp     result
far_write32:
        call    paging_on
        mov     %esi, (%edx)
        call    paging_off
        ret

/* Compatibility mode of long mode, because some KVMs have no other paging. Both keep EAX, EDX and ESI. */
paging_on:
        cli
        push    %eax
        push    %edx
        mov     $PML4, %eax
        mov     %eax, %cr3
        mov     $0x20, %eax             /* PAE */
        mov     %eax, %cr4
        mov     $0x100, %eax            /* EFER.LME */
        jmp     set_efer_and_cr0
paging_off:
        push    %eax
        push    %edx
        mov     $0x11, %eax
        mov     %eax, %cr0
        xor     %eax, %eax
        call    set_efer
        pop     %edx
        pop     %eax
        sti
        ret
set_efer_and_cr0:
        call    set_efer
        mov     $0x80000011, %eax
        mov     %eax, %cr0
        pop     %edx
        pop     %eax
        ret
set_efer:
        mov     $0xc0000080, %ecx
        xor     %edx, %edx
        wrmsr
        ret

/* Eight bytes each: a push of a byte, a jump */
        .balign 8
exceptions:
        .set    number, 0
        .rept   32
        .balign 8
        push    $number
        jmp     exception
        .set    number, number + 1
        .endr
exception:
        pop     %eax
        add     $0x100, %eax
        mov     %eax, FAULT
1:      cli
        hlt
        jmp     1b

        .balign 8
interrupts:
        .set    number, 0
        .rept   16
        .balign 8
        push    $number
        jmp     interrupt
        .set    number, number + 1
        .endr
interrupt:
        xchg    %eax, (%esp)
        incl    COUNTS(,%eax,4)
        pop     %eax
        jmp     end_of_interrupt
stray:
        incl    STRAY
end_of_interrupt:
        movl    $0, LAPIC_EOI
        pushl   8(%esp)                 /* flags; interrupts stay off until we are on the way out */
        andl    $~0x200, (%esp)
        popfl
        sti
        ret     $8

        .balign 8
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .word   23
        .long   gdt
idt_pointer:
        .word   256 * 8 - 1
        .long   IDT

        .code16
        .org    0xfff0
        ljmp    $0xf000, $0
        .org    0x10000
