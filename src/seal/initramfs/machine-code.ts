/**
 * Two programs of machine code that QuickJS cannot do without: it has no ioctl and no finit_module. They replace
 * fsverity(1) with its 7.5 MB of libraries, and insmod (spec/boot-chain.md E and G).
 */
import { fromHex } from "../../bytes/index.ts";
import { ELF_MACHINE, writeStaticProgram } from "../../elf/index.ts";
import { SealrootError } from "../../errors/index.ts";

/**
 * `measure FILE`: FS_IOC_MEASURE_VERITY (linux/fsverity.h, 0xc0046686) on the file; prints struct fsverity_digest,
 * ends with the errno.
 */
const MEASURE_X86_64 = `
  488b7c2410        mov rdi, [rsp+16]       ; argv[1]
  31f6              xor esi, esi            ; O_RDONLY
  b802000000        mov eax, 2              ; open
  0f05              syscall
  85c0              test eax, eax
  783e              js  failed
  89c7              mov edi, eax
  4881ec80000000    sub rsp, 128
  c7042400004000    mov dword [rsp], 64<<16 ; digest_size: room for 64 bytes
  be866604c0        mov esi, 0xc0046686     ; FS_IOC_MEASURE_VERITY
  4889e2            mov rdx, rsp
  b810000000        mov eax, 16             ; ioctl
  0f05              syscall
  85c0              test eax, eax
  781b              js  failed
  bf01000000        mov edi, 1
  4889e6            mov rsi, rsp
  0fb7542402        movzx edx, word [rsp+2]
  83c204            add edx, 4
  b801000000        mov eax, 1              ; write
  0f05              syscall
  31ff              xor edi, edi
  eb04              jmp end
  89c7      failed: mov edi, eax
  f7df              neg edi
  b83c000000   end: mov eax, 60             ; exit
  0f05              syscall
`;

/**
 * `insmod FILE…`: finit_module(2) for each file without parameters; prints one byte for each, the errno or 0, and
 * ends with 0.
 */
const INSMOD_X86_64 = `
  58                pop rax                 ; argc
  4889e5            mov rbp, rsp            ; argv
  6a00              push 0                  ; no parameters: ""
  6a00              push 0                  ; the byte to print
  4883c508    next: add rbp, 8
  488b7d00          mov rdi, [rbp]
  4885ff            test rdi, rdi
  744c              jz  done
  be00000800        mov esi, 0x80000        ; O_RDONLY | O_CLOEXEC
  b802000000        mov eax, 2              ; open
  0f05              syscall
  85c0              test eax, eax
  7821              js  failed
  89c3              mov ebx, eax
  89c7              mov edi, eax
  488d742408        lea rsi, [rsp+8]
  31d2              xor edx, edx
  b839010000        mov eax, 313            ; finit_module
  0f05              syscall
  4189c4            mov r12d, eax
  89df              mov edi, ebx
  b803000000        mov eax, 3              ; close
  0f05              syscall
  4489e0            mov eax, r12d
  f7d8      failed: neg eax
  880424            mov [rsp], al
  bf01000000        mov edi, 1
  4889e6            mov rsi, rsp
  ba01000000        mov edx, 1
  b801000000        mov eax, 1              ; write
  0f05              syscall
  eba7              jmp next
  31ff        done: xor edi, edi
  b83c000000        mov eax, 60             ; exit
  0f05              syscall
`;

export interface MachineCodePrograms {
  readonly measure: Uint8Array;
  readonly insmod: Uint8Array;
}

/**
 * The two programs for a CPU.
 * @param machine e_machine of the image's programs
 * @throws SealrootError `unsupported` for a CPU whose machine code is not written
 */
export function machineCodePrograms(machine: number): MachineCodePrograms {
  if (machine !== ELF_MACHINE.x86_64) {
    throw new SealrootError("unsupported", "Cannot build the initramfs: only images for x86-64 can be sealed so far", {
      expected: `e_machine ${ELF_MACHINE.x86_64}`,
      actual: `e_machine ${machine}`,
    });
  }
  return {
    measure: writeStaticProgram(machine, assembled(MEASURE_X86_64)),
    insmod: writeStaticProgram(machine, assembled(INSMOD_X86_64)),
  };
}

/** The bytes in the first column of a listing. */
function assembled(listing: string): Uint8Array {
  return fromHex([...listing.matchAll(/^ +([0-9a-f]+) /gm)].map(([, hex]) => hex).join(""));
}
