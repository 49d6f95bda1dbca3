/**
 * The machine code programs for AArch64 (Arm Architecture Reference Manual, C6; Linux include/uapi/asm-generic/unistd.h).
 * What each does, and prints, stands in `x86-64.ts`.
 */

export const MEASURE = `
  e10b40f9          ldr x1, [sp, #16]       ; argv[1]
  600c8092          mov x0, #-100           ; AT_FDCWD
  020080d2          mov x2, #0              ; O_RDONLY
  080780d2          mov x8, #56             ; openat
  010000d4          svc #0
  4002f8b7          tbnz x0, #63, failed
  ff0302d1          sub sp, sp, #128
  0908a052          mov w9, #64<<16         ; digest_size: room for 64 bytes
  e90300b9          str w9, [sp]
  c1d08c52          mov w1, #0x6686         ; FS_IOC_MEASURE_VERITY
  8100b872          movk w1, #0xc004, lsl #16
  e2030091          mov x2, sp
  a80380d2          mov x8, #29             ; ioctl
  010000d4          svc #0
  2001f8b7          tbnz x0, #63, failed
  200080d2          mov x0, #1
  e1030091          mov x1, sp
  e2074079          ldrh w2, [sp, #2]
  42100091          add x2, x2, #4
  080880d2          mov x8, #64             ; write
  010000d4          svc #0
  000080d2          mov x0, #0
  02000014          b end
  e00300cb  failed: neg x0, x0
  a80b80d2  end:    mov x8, #93             ; exit
  010000d4          svc #0
`;

export const INSMOD = `
  f3230091          add x19, sp, #8         ; argv
  ff4300d1          sub sp, sp, #16         ; 0: no parameters, "", 8: the byte to print
  ff0300f9          str xzr, [sp]
  618e40f8  next:   ldr x1, [x19, #8]!
  010300b4          cbz x1, done
  600c8092          mov x0, #-100           ; AT_FDCWD
  0201a0d2          mov x2, #0x80000        ; O_RDONLY | O_CLOEXEC
  080780d2          mov x8, #56             ; openat
  010000d4          svc #0
  6001f8b7          tbnz x0, #63, failed
  f40300aa          mov x20, x0
  e1030091          mov x1, sp
  020080d2          mov x2, #0
  282280d2          mov x8, #273            ; finit_module
  010000d4          svc #0
  f50300aa          mov x21, x0
  e00314aa          mov x0, x20
  280780d2          mov x8, #57             ; close
  010000d4          svc #0
  e00315aa          mov x0, x21
  e00300cb  failed: neg x0, x0
  e0230039          strb w0, [sp, #8]
  200080d2          mov x0, #1
  e1230091          add x1, sp, #8
  220080d2          mov x2, #1
  080880d2          mov x8, #64             ; write
  010000d4          svc #0
  e8ffff17          b next
  000080d2  done:   mov x0, #0
  a80b80d2          mov x8, #93             ; exit
  010000d4          svc #0
`;

/**
 * In two steps instead of by openat2(2), which qemu-user has only since QEMU 9.1: with it the code is tested on any
 * machine. A name of hex digits leads nowhere but down, a link is not followed, and another file system has another
 * st_dev.
 */
export const LOOKUP = `
  e10b40f9           ldr x1, [sp, #16]       ; argv[1]: the directory
  600c8092           mov x0, #-100           ; AT_FDCWD
  020088d2           mov x2, #0x4000         ; O_DIRECTORY
  0204a0f2           movk x2, #0x20, lsl #16 ; O_PATH
  080780d2           mov x8, #56             ; openat
  010000d4           svc #0
  200af8b7           tbnz x0, #63, failed
  f30300aa           mov x19, x0
  e10f40f9           ldr x1, [sp, #24]       ; argv[2]: the list
  600c8092           mov x0, #-100           ; AT_FDCWD
  020080d2           mov x2, #0              ; O_RDONLY
  010000d4           svc #0
  6009f8b7           tbnz x0, #63, failed
  f40300aa           mov x20, x0
  ff4305d1           sub sp, sp, #336        ; 0: id, 64: name of the directory, 72: of the file, 208: struct stat
  e00313aa           mov x0, x19
  e1430391           add x1, sp, #208
  080a80d2           mov x8, #80             ; fstat
  010000d4           svc #0
  8008f8b7           tbnz x0, #63, failed
  f76b40f9           ldr x23, [sp, #208]     ; st_dev
  e00314aa  next:    mov x0, x20
  e1030091           mov x1, sp
  020880d2           mov x2, #64
  e80780d2           mov x8, #63             ; read
  010000d4           svc #0
  e00700b4           cbz x0, end
  8007f8b7           tbnz x0, #63, failed
  1f0001f1           cmp x0, #64
  21070054           b.ne broken
  e9030091           mov x9, sp
  ea030191           add x10, sp, #64        ; end of the id
  eb030191           add x11, sp, #64        ; where digits go
  ec0b0191           add x12, sp, #66        ; after the first two
  2d154038  hex:     ldrb w13, [x9], #1
  ae7d0453           lsr w14, w13, #4
  af0d0012           and w15, w13, #15
  d0c10011           add w16, w14, #48       ; '0'
  d15d0111           add w17, w14, #87       ; 'a' - 10
  df290071           cmp w14, #10
  1032911a           csel w16, w16, w17, lo
  70150038           strb w16, [x11], #1
  f0c10011           add w16, w15, #48
  f15d0111           add w17, w15, #87
  ff290071           cmp w15, #10
  1032911a           csel w16, w16, w17, lo
  70150038           strb w16, [x11], #1
  7f010ceb           cmp x11, x12
  61000054           b.ne more
  7f010039           strb wzr, [x11]
  eb230191           add x11, sp, #72
  3f010aeb  more:    cmp x9, x10
  c3fdff54           b.lo hex
  7f010039           strb wzr, [x11]
  e00313aa           mov x0, x19
  e1030191           add x1, sp, #64
  020098d2           mov x2, #0xc000         ; O_DIRECTORY | O_NOFOLLOW
  0204a0f2           movk x2, #0x20, lsl #16 ; O_PATH
  080780d2           mov x8, #56             ; openat
  010000d4           svc #0
  6002f8b7           tbnz x0, #63, missing
  f50300aa           mov x21, x0
  e1230191           add x1, sp, #72
  e2430391           add x2, sp, #208
  032080d2           mov x3, #0x100          ; AT_SYMLINK_NOFOLLOW
  e80980d2           mov x8, #79             ; newfstatat
  010000d4           svc #0
  f60300aa           mov x22, x0
  e00315aa           mov x0, x21
  280780d2           mov x8, #57             ; close
  010000d4           svc #0
  1601f8b7           tbnz x22, #63, missing
  e96b40f9           ldr x9, [sp, #208]      ; st_dev
  3f0117eb           cmp x9, x23
  a1000054           b.ne missing
  e9e340b9           ldr w9, [sp, #224]      ; st_mode
  290d1412           and w9, w9, #0xf000     ; S_IFMT
  3f214071           cmp w9, #0x8, lsl #12   ; S_IFREG
  e0f8ff54           b.eq next
  200080d2  missing: mov x0, #1
  e1030091           mov x1, sp
  020880d2           mov x2, #64
  080880d2           mov x8, #64             ; write
  010000d4           svc #0
  1f0001f1           cmp x0, #64
  00f8ff54           b.eq next
  80008092  broken:  mov x0, #-5             ; EIO
  e00300cb  failed:  neg x0, x0
  02000014           b out
  000080d2  end:     mov x0, #0
  a80b80d2  out:     mov x8, #93             ; exit
  010000d4           svc #0
`;
