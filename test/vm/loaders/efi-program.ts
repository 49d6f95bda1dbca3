/** A small EFI program that stands for a kernel or a UKI: it says that it was started, and switches the machine off. */
import { fromHex } from "../../../src/bytes/index.ts";
import { BOOT_LOADER_VENDOR, guidBytes } from "../../../src/efi/index.ts";
import { parsePe } from "../../../src/pe/index.ts";
import { peImage } from "../../bootloader/pe-fixture.ts";

/**
 * Prints its name, then the variable LoaderBootCountPath as far as it is set, and calls ResetSystem(EfiResetShutdown)
 * (UEFI 2.10, 4.3 EFI_SYSTEM_TABLE, 8.2 GetVariable(), 8.5.1 ResetSystem(), 12.4.3 OutputString()).
 */
const CODE = `
  53                     push rbx
  56                     push rsi
  57                     push rdi
  4154                   push r12
  4881ec28020000         sub rsp, 552            ; 0: arguments of callees, 40: size, 64: value
  4889d3                 mov rbx, rdx            ; EFI_SYSTEM_TABLE
  488d158a000000         lea rdx, [name]
  e863000000             call print
  48c744242890010000     mov qword [rsp+40], 400
  66c74424400000         mov word [rsp+64], 0
  488d0d9e000000         lea rcx, [variable]
  488d1557000000         lea rdx, [vendor]
  4531c0                 xor r8d, r8d
  4c8d4c2428             lea r9, [rsp+40]
  488d442440             lea rax, [rsp+64]
  4889442420             mov [rsp+32], rax
  488b4358               mov rax, [rbx+88]       ; RuntimeServices
  ff5048                 call [rax+72]           ; GetVariable
  488d542440             lea rdx, [rsp+64]
  e822000000             call print
  488d155d000000         lea rdx, [end]
  e816000000             call print
  b902000000             mov ecx, 2              ; EfiResetShutdown
  31d2                   xor edx, edx
  4531c0                 xor r8d, r8d
  4531c9                 xor r9d, r9d
  488b4358               mov rax, [rbx+88]
  ff5068                 call [rax+104]          ; ResetSystem
  ebfe            hang:  jmp hang
  4883ec28        print: sub rsp, 40
  488b4b40               mov rcx, [rbx+64]       ; ConOut
  ff5108                 call [rcx+8]            ; OutputString
  4883c428               add rsp, 40
  c3                     ret
`;

/** Where the program's data is, from the beginning of its code. */
const AT = { vendor: 0x90, name: 0xa0, end: 0xc0, variable: 0xd0, size: 0x100 } as const;

/** "PE Format": AddressOfEntryPoint from the optional header on, Characteristics from a section's header on. */
const [ENTRY_POINT, CHARACTERISTICS, CODE_SECTION] = [16, 36, 0x60000020];

/**
 * The program, with the sections by which boot loaders tell a UKI.
 * @param name at most 15 characters; printed before the path of the counted file
 * @param osRelease what a UKI is of
 */
export function reportingProgram(name: string, osRelease: string): Uint8Array {
  const code = Buffer.alloc(AT.size);
  code.set(fromHex([...CODE.matchAll(/^ +([0-9a-f]+) /gm)].map(([, hex]) => hex).join("")));
  code.set(guidBytes(BOOT_LOADER_VENDOR), AT.vendor);
  code.set(text16(name), AT.name);
  code.set(text16("]\r\n"), AT.end);
  code.set(text16("LoaderBootCountPath"), AT.variable);
  const sections = { ".text": code, ".osrel": osRelease, ".cmdline": "quiet", ".linux": "none", ".initrd": "none" };
  const bytes = peImage(sections);
  const { optionalHeaderOffset, sectionTableOffset, sections: [text] = [] } = parsePe(bytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(optionalHeaderOffset + ENTRY_POINT, text?.virtualAddress ?? 0, true);
  view.setUint32(sectionTableOffset + CHARACTERISTICS, CODE_SECTION, true);
  return bytes;
}

function text16(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, "utf16le");
}
