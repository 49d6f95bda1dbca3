/**
 * What an add-on may change, wherever one is made, installed or updated: it brings kernel arguments that lead past no seal, device
 * trees, microcode and firmware files. Everything else of the system is the UKI's.
 */
import { checkCommandLine } from "../bls/index.ts";
import { type CpioEntry, walkInitramfs } from "../cpio/index.ts";
import { SealrootError } from "../errors/index.ts";
import {
  commandLineOf,
  type EfiArchitecture,
  findSection,
  type PeImage,
  parsePe,
  sectionContent,
} from "../pe/index.ts";

/** Sections that systemd-stub takes from add-ons (systemd-stub(7)). */
export const ADDON_SECTIONS = [".cmdline", ".dtb", ".ucode", ".initrd", ".uname"] as const;
/** Sections that mean something in a UKI, and nothing good in an add-on (UAPI.5). */
const UKI_SECTIONS = [".linux", ".osrel", ".splash", ".pcrsig", ".pcrpkey", ".profile", ".dtbauto", ".hwids", ".efifw"];
/** Devicetree Specification 5.2: magic of a flattened tree, big-endian. */
const DTB_MAGIC = "d00dfeed";

/** What an initrd of an add-on may hold: what the kernel's firmware loader looks for, and the folders above. */
const FIRMWARE = /^usr\/lib\/firmware\/./;
const FIRMWARE_FOLDERS = ["usr", "usr/lib", "usr/lib/firmware"];
/** Linux, Documentation/arch/x86/microcode.rst. */
const MICROCODE = /^kernel\/x86\/microcode\/(?:GenuineIntel|AuthenticAMD)\.bin$/;
const MICROCODE_FOLDERS = ["kernel", "kernel/x86", "kernel/x86/microcode"];

/**
 * Checks an add-on alone.
 *
 * @param what names it in errors, such as `the add-on debug`
 * @param architecture of the UKI that it is for
 * @returns its kernel arguments; empty when it brings none
 * @throws SealrootError `unsupported` naming the argument, section or file that it must not have; `conflict` for another
 *   architecture; `corrupt`
 */
export function checkAddon(bytes: Uint8Array, what: string, architecture?: EfiArchitecture): string {
  const image = parsePe(bytes, what);
  if (architecture !== undefined && image.architecture !== architecture) {
    const state = `it is for ${image.architecture}, the UKI for ${architecture}`;
    throw new SealrootError("conflict", `Cannot use ${what}: ${state}`, {
      expected: architecture,
      actual: image.architecture,
    });
  }
  for (const { name } of image.sections) {
    if (UKI_SECTIONS.includes(name)) throw refused(what, `a section ${name} belongs into a UKI`);
  }
  checkContents(image, what);
  const line = commandLineOf(image, what) ?? "";
  checkCommandLine(line, { what: `the command line of ${what}`, decidedKeys: [] });
  return line;
}

function checkContents(image: PeImage, what: string): void {
  const content = (name: string) => {
    const section = findSection(image, name, what);
    return section === undefined ? undefined : sectionContent(image, section);
  };
  const deviceTree = content(".dtb");
  if (deviceTree !== undefined && Buffer.from(deviceTree.subarray(0, 4)).toString("hex") !== DTB_MAGIC) {
    throw refused(what, "its section .dtb is no device tree");
  }
  checkArchive(content(".ucode"), `${what}`, ".ucode", MICROCODE, MICROCODE_FOLDERS, "microcode");
  checkArchive(content(".initrd"), `${what}`, ".initrd", FIRMWARE, FIRMWARE_FOLDERS, "firmware files");
}

/** A file of a later archive replaces one of the UKI's initramfs, so only harmless places are allowed. */
function checkArchive(
  bytes: Uint8Array | undefined,
  what: string,
  section: string,
  files: RegExp,
  folders: readonly string[],
  kind: string,
): void {
  if (bytes === undefined) return;
  const compressed = () => {
    throw refused(what, `its section ${section} is compressed, and cannot be looked into here`);
  };
  for (const { entries } of walkInitramfs(bytes, { gzip: compressed, zstd: compressed })) {
    for (const entry of entries) {
      if (isAllowed(entry, files, folders)) continue;
      throw refused(what, `its section ${section} may hold ${kind} only, and has ${JSON.stringify(pathOf(entry))}`);
    }
  }
}

function isAllowed(entry: CpioEntry, files: RegExp, folders: readonly string[]): boolean {
  const path = pathOf(entry);
  if (path.split("/").some((part) => part === ".." || part === "." || part === "")) return path === ".";
  if (entry.kind === "directory") return folders.includes(path) || files.test(path);
  return entry.kind === "file" && files.test(path);
}

function pathOf({ path }: CpioEntry): string {
  return path.replace(/^\.\//, "");
}

function refused(what: string, reason: string): SealrootError {
  return new SealrootError("unsupported", `Cannot use ${what}: ${reason}`, {
    hint: "seal an image that has it in its UKI",
  });
}
