/** Makes an add-on: systemd's add-on stub with sections, within the rule of what an add-on may change, signed. */
import { checkUserArguments } from "../bls/index.ts";
import { checkAddon } from "../bootimage/index.ts";
import type { Signer } from "../cms/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type ProgramSigner, signProgram, verifyBootProgram } from "../keys/index.ts";
import { addSections, type NewSection, parsePe, systemdComponentOf } from "../pe/index.ts";

export interface AddonContents {
  readonly kernelArguments: readonly string[];
  readonly deviceTree: Uint8Array | undefined;
  /** cpio with `kernel/x86/microcode/…`. */
  readonly microcode: Uint8Array | undefined;
  /** cpio with firmware files. */
  readonly initramfs: Uint8Array | undefined;
  /** Only a UKI with this kernel takes it. */
  readonly kernelRelease: string | undefined;
}

/**
 * @param stub systemd's add-on stub, unsigned; its path for errors
 * @param signer undefined leaves it unsigned
 * @throws SealrootError `usage` for an add-on without contents, and kernel arguments that it must not have; `unsupported` for another
 *   program than the stub, or contents that it must not have; as signProgram
 */
export async function buildAddon(
  stub: { readonly path: string; readonly bytes: Uint8Array },
  contents: AddonContents,
  signer: Signer | ProgramSigner | undefined,
): Promise<Uint8Array> {
  const component = systemdComponentOf(parsePe(stub.bytes, stub.path));
  if (component?.component !== "systemd-addon") {
    throw new SealrootError("unsupported", `Cannot build the add-on: ${stub.path} is not systemd's add-on stub`, {
      path: stub.path,
      expected: "systemd-addon in its section .sdmagic",
      actual: component?.component ?? "no such section",
    });
  }
  for (const text of contents.kernelArguments) checkUserArguments(text);
  const unsigned = addSections(stub.bytes, sectionsOf(contents));
  checkAddon(unsigned, "the add-on");
  if (signer === undefined) return unsigned;
  const signed = await signProgram(unsigned, "the add-on", signer);
  await verifyBootProgram(signed, "the add-on", []);
  return signed;
}

function sectionsOf(contents: AddonContents): NewSection[] {
  const line = contents.kernelArguments.join(" ");
  const { deviceTree, microcode, initramfs, kernelRelease } = contents;
  const parts: (NewSection | undefined)[] = [
    line === "" ? undefined : { name: ".cmdline", content: Buffer.from(line) },
    deviceTree && { name: ".dtb", content: deviceTree },
    microcode && { name: ".ucode", content: microcode },
    initramfs && { name: ".initrd", content: initramfs },
  ];
  const sections = parts.filter((part) => part !== undefined);
  if (sections.length === 0) {
    throw new SealrootError("usage", "Cannot build the add-on: it would change nothing", {
      hint: "give --karg, --dtb, --ucode or --initrd",
    });
  }
  if (kernelRelease === undefined) return sections;
  return [...sections, { name: ".uname", content: Buffer.from(kernelRelease) }];
}
