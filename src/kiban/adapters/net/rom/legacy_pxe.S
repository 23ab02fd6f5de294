/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI option ROM of generation 1's legacy NIC (QEMU's tulip, which brings none). Its boot entry vector reads iPXE
 * (a bzImage) out of a fw_cfg file into memory and starts it with a script that boots from this very NIC, so the guest
 * sees neither a boot disk nor another NIC tried. Whatever fails, control returns to the BIOS, which tries the next device.
 *
 * Sources of the formats: PCI Firmware Specification 3.0 ch. 5 (ROM header, PCIR); BIOS Boot Specification 1.01 and
 * Plug and Play BIOS Specification 1.0A ch. 3 (expansion header, BEV); QEMU docs/specs/fw_cfg (DMA interface);
 * Linux Documentation/arch/x86/boot (the boot protocol). build.py assembles this file and sets the two checksums.
 */

        .set    FW_CFG_DMA, 0x514       /* two big-endian 32-bit registers; writing the second starts the transfer */
        .set    FW_CFG_DIRECTORY, 0x19  /* selector of the file directory */
        .set    DMA_READ, 2
        .set    DMA_SELECT, 8
        .set    DIR_ENTRY, 64           /* be32 size, be16 selector, be16 reserved, char name[56] */

        .set    KERNEL_SEG, 0x1000      /* the bzImage's real-mode part; nothing of the BIOS lives here */
        .set    SCRATCH_SEG, 0x2000     /* the ROM itself is read-only by the time the BIOS boots */
        .set    DMA_BLOCK, 0x00         /* scratch: be32 control, be32 length, be64 address */
        .set    ENTRY, 0x10             /* scratch: one directory entry */
        .set    MAX_SETUP_SECTORS, 63   /* keeps the real-mode part below the stack */
        .set    STACK_TOP, 0xe000       /* within KERNEL_SEG: setup code, heap and stack below, the script above */
        .set    SCRIPT_AT, 0xe000
        .set    PROTECTED, 0x100000     /* where the boot protocol wants the rest of a bzImage */

        .code16
        .text
        .globl  _start
_start:
rom:    .byte   0x55, 0xaa
        .byte   (rom_end - rom) / 512
        jmp     init
        .org    rom + 6
checksum:
        .byte   0                       /* build.py; changed by init */
        .org    rom + 0x18
        .word   pcir - rom
        .word   pnp - rom

        .balign 4
pcir:   .ascii  "PCIR"
        .word   0x1011, 0x0019          /* DEC 21143 */
        .word   0                       /* no device list */
        .word   pcir_end - pcir
        .byte   0                       /* PCI 2.x structure */
        .byte   0x00, 0x00, 0x02        /* class: Ethernet controller */
        .word   (rom_end - rom) / 512
        .word   1                       /* revision of this code */
        .byte   0                       /* x86 code */
        .byte   0x80                    /* last image */
        .word   0
pcir_end:

        .balign 16
pnp:    .ascii  "$PnP"
        .byte   1
        .byte   (pnp_end - pnp) / 16
        .word   0                       /* no further header */
        .byte   0
        .byte   0                       /* checksum: build.py */
        .long   0
        .word   0                       /* no manufacturer string: SeaBIOS shows the product's */
        .word   product - rom
        .byte   0x02, 0x00, 0x00        /* class: network, Ethernet */
        .byte   0x14                    /* may be shadowed; initial program load device */
        .word   0, 0                    /* no BCV, no disconnect vector */
        .word   bev - rom
        .word   0, 0
pnp_end:

product:        .asciz  "Legacy network adapter (PXE)"
file_name:      .asciz  "opt/kiban/ipxe"
file_name_end:
said:           .asciz  "Legacy network adapter: no iPXE in fw_cfg\r\n"

/* iPXE runs its command line as a script. Only the NIC at this ROM's PCI address is tried: generation 1 boots from no
 * other. The script ends when that fails, and iPXE then calls INT 18h. */
script: .ascii  "#!ipxe\n"
        .ascii  "set at:uint32 0x"
address:
        .ascii  "0000\n"
        .ascii  "set n:int32 0\n"
        .ascii  ":next\n"
        .ascii  "isset ${net${n}/mac} || exit\n"
        .ascii  "iseq ${net${n}/busloc:uint32} ${at:uint32} && autoboot net${n} ||\n"
        .ascii  "inc n\n"
        .asciz  "goto next\n"
script_end:

/* Called once while the BIOS starts, the ROM still writable; AX: bus << 8 | device << 3 | function of our NIC. */
init:   pushal
        pushw   %ds
        pushw   %cs
        popw    %ds
        movw    %ax, %cx
        movb    %ch, %al
        movw    $address - rom, %bx
        call    put_hex
        movb    %cl, %al
        addw    $2, %bx
        call    put_hex
        popw    %ds
        popal
        movw    $0x20, %ax              /* an initial program load device is attached */
        lretw

/* Adds AL's two hexadecimal digits to the "00" at DS:BX and takes what was added from the checksum, because the BIOS
 * looks for ROMs with a right checksum once more before it boots. Changes AX. */
put_hex:
        movb    %al, %ah
        shrb    $4, %al
        andb    $15, %ah
        call    digit
        xchgb   %al, %ah
        call    digit
        xchgb   %al, %ah
        addw    %ax, (%bx)              /* no carry: '0' + 54 is below 256 */
        addb    %ah, %al
        subb    %al, checksum - rom
        ret
digit:  cmpb    $10, %al                /* 0..15 in AL -> distance of its digit from '0' */
        jb      1f
        addb    $'a' - '0' - 10, %al
1:      ret

/* Boot entry vector: comes back only on failure. */
bev:    pushal
        pushw   %ds
        pushw   %es
        pushw   %cs
        popw    %ds
        cld
        movw    $SCRATCH_SEG, %ax
        movw    %ax, %es
        movw    $FW_CFG_DMA, %dx
        inl     %dx, %eax
        cmpl    $0x554d4551, %eax       /* "QEMU": the DMA interface is there */
        jne     fail
        call    find_file
        jc      fail
        call    load
        jc      fail
        jmp     start
fail:   movw    $said - rom, %si
1:      lodsb
        testb   %al, %al
        jz      2f
        movb    $0x0e, %ah
        movw    $7, %bx
        int     $0x10
        jmp     1b
2:      popw    %es
        popw    %ds
        popal
        lretw

/* EAX: control, ECX: bytes, EDI: physical address. Carry: QEMU reports an error. Changes EAX, ECX, EDX, EDI. */
dma:    bswapl  %eax
        movl    %eax, %es:DMA_BLOCK
        bswapl  %ecx
        movl    %ecx, %es:DMA_BLOCK + 4
        movl    $0, %es:DMA_BLOCK + 8
        bswapl  %edi
        movl    %edi, %es:DMA_BLOCK + 12
        movw    $FW_CFG_DMA, %dx
        xorl    %eax, %eax
        outl    %eax, %dx
        addw    $4, %dx
        movl    $SCRATCH_SEG * 16 + DMA_BLOCK, %eax
        bswapl  %eax
        outl    %eax, %dx
1:      movl    %es:DMA_BLOCK, %eax
        testl   $0xfeffffff, %eax       /* anything but the (big-endian) error bit: still running */
        jnz     1b
        negl    %eax                    /* carry unless zero */
        ret

/* Leaves our file's directory entry in scratch. Carry: there is none. */
find_file:
        movl    $(FW_CFG_DIRECTORY << 16) | DMA_SELECT | DMA_READ, %eax
        movl    $4, %ecx
        movl    $SCRATCH_SEG * 16 + ENTRY, %edi
        call    dma
        jc      3f
        movl    %es:ENTRY, %ebp
        bswapl  %ebp
1:      subl    $1, %ebp
        jc      3f
        movl    $DMA_READ, %eax
        movl    $DIR_ENTRY, %ecx
        movl    $SCRATCH_SEG * 16 + ENTRY, %edi
        call    dma
        jc      3f
        movw    $file_name - rom, %si
        movw    $ENTRY + 8, %di
        movw    $file_name_end - file_name, %cx
        repe cmpsb
        jne     1b
        clc
3:      ret

/* Loads the bzImage of the directory entry. Carry: QEMU reports an error, or it is no bzImage. */
load:   movzwl  %es:ENTRY + 4, %eax
        xchgb   %al, %ah
        shll    $16, %eax
        movb    $DMA_SELECT | DMA_READ, %al
        movl    $1024, %ecx             /* the header ends well before */
        movl    $KERNEL_SEG * 16, %edi
        call    dma
        jc      2f
        movw    $KERNEL_SEG, %ax
        movw    %ax, %fs
        cmpl    $0x53726448, %fs:0x202  /* "HdrS" */
        jne     1f
        testb   $1, %fs:0x211           /* loaded high */
        jz      1f
        movzbl  %fs:0x1f1, %ebx         /* sectors after the first one; 0 never occurs with "loaded high" */
        cmpb    $MAX_SETUP_SECTORS, %bl
        ja      1f
        incw    %bx
        shll    $9, %ebx
        movl    $DMA_READ, %eax
        leal    -1024(%ebx), %ecx
        movl    $KERNEL_SEG * 16 + 1024, %edi
        call    dma
        jc      2f
        movl    %es:ENTRY, %ecx
        bswapl  %ecx
        subl    %ebx, %ecx
        jbe     1f
        movl    $DMA_READ, %eax
        movl    $PROTECTED, %edi
        jmp     dma
1:      stc
2:      ret

/* Fills in what the boot protocol asks of a loader and jumps to the setup code; never returns. */
start:  movw    $KERNEL_SEG, %ax
        movw    %ax, %es
        movw    $script - rom, %si
        movw    $SCRIPT_AT, %di
        movw    $script_end - script, %cx
        rep movsb
        movb    $0xff, %es:0x210        /* a loader without an assigned number */
        orb     $0x80, %es:0x211        /* heap_end_ptr is valid */
        movw    $STACK_TOP - 0x200, %es:0x224
        movl    $KERNEL_SEG * 16 + SCRIPT_AT, %es:0x228
        cli
        movw    %ax, %ds
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movw    $STACK_TOP, %sp
        ljmpw   $KERNEL_SEG + 0x20, $0

        .balign 512
rom_end:
