/** Unified Kernel Images: systemd-stub with kernel, initramfs and command line as sections (UAPI.5). */
import { withoutPadding } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type EfiArchitecture, findSection, type PeImage, parsePe, sectionContent } from "./image.ts";
import { replaceSection, roomOf } from "./replace-section.ts";
import { mergedSbat } from "./sbat.ts";
import { addSections, type NewSection } from "./sections.ts";

/** What goes into a UKI. Contents are the plain files; texts are written without a final NUL or newline. */
export interface UkiInput {
  /** systemd-stub, `linux<arch>.efi.stub`, not signed. */
  readonly stub: Uint8Array;
  /** Content of the image's os-release file. */
  readonly osRelease: Uint8Array;
  readonly commandLine: string;
  /** As `uname -r` prints it. */
  readonly kernelRelease: string;
  readonly kernel: Uint8Array;
  readonly initramfs?: Uint8Array;
  readonly deviceTree?: Uint8Array;
  /** BMP picture. */
  readonly splash?: Uint8Array;
  /** PEM public key for signed PCR policies. */
  readonly pcrPublicKey?: Uint8Array;
  /** Early microcode cpio. */
  readonly microcode?: Uint8Array;
  /** Texts for `.sbat` besides the lines of stub and kernel, as {@link mergedSbat} takes them. */
  readonly sbat?: readonly string[];
}

/** A parsed UKI; contents are views into the image. */
export interface Uki {
  readonly image: PeImage;
  readonly architecture: EfiArchitecture;
  readonly kernel: Uint8Array;
  readonly commandLine: string | undefined;
  readonly osRelease: Uint8Array | undefined;
  readonly kernelRelease: string | undefined;
  readonly initramfs: Uint8Array | undefined;
  readonly deviceTree: Uint8Array | undefined;
}

/**
 * Builds an unsigned UKI, section for section as ukify 257 lays it out (spec/boot-chain.md C).
 *
 * @throws SealrootError `conflict` when kernel and stub are for different machines, `unsupported` for a kernel without
 *   EFI stub, `usage` for a command line with NUL or newline
 */
export function buildUki(input: UkiInput): Uint8Array {
  const stub = parsePe(input.stub, "systemd-stub");
  const kernel = checkedKernel(input.kernel, stub.architecture);
  const uname = section(".uname", lineOfText(input.kernelRelease, "kernel release"));
  const { base, appended } = withSbat(stub, mergedSbat([stub, kernel], input.sbat ?? []), uname);
  const sections: (NewSection | undefined)[] = [
    section(".osrel", input.osRelease),
    section(".cmdline", lineOfText(input.commandLine, "command line")),
    section(".dtb", input.deviceTree),
    appended.includes(uname) ? uname : undefined,
    section(".splash", input.splash),
    section(".pcrpkey", input.pcrPublicKey),
    { name: ".linux", content: input.kernel, isCode: true },
    section(".initrd", input.initramfs),
    section(".ucode", input.microcode),
    ...appended.filter((one) => one !== uname),
  ];
  return addSections(
    base,
    sections.filter((candidate) => candidate !== undefined),
  );
}

/**
 * The stub with the lines of SBAT in the place of its own, and what is still to be appended. A stub before systemd 254 has no room for
 * them there, and next to none for more sections: then the name of the release, which is short, takes that place.
 */
function withSbat(
  stub: PeImage,
  content: Uint8Array,
  uname: NewSection,
): { readonly base: Uint8Array; readonly appended: readonly NewSection[] } {
  const sbat = { name: ".sbat", content };
  const own = findSection(stub, sbat.name, "systemd-stub");
  if (own === undefined) return { base: stub.bytes, appended: [uname, sbat] };
  if (content.length <= roomOf(stub, own)) return { base: replaceSection(stub, own, sbat), appended: [uname] };
  return { base: replaceSection(stub, own, uname), appended: [sbat] };
}

/**
 * Parses a UKI.
 * @throws SealrootError `corrupt` when the image has no kernel section, and as `parsePe`
 */
export function readUki(bytes: Uint8Array, what = "UKI"): Uki {
  const image = parsePe(bytes, what);
  const content = (name: string): Uint8Array | undefined => {
    const found = findSection(image, name, what);
    return found === undefined ? undefined : sectionContent(image, found);
  };
  const text = (name: string): string | undefined => {
    const found = content(name);
    return found === undefined ? undefined : textOfSection(found, name);
  };
  const kernel = content(".linux");
  if (kernel === undefined) throw corrupt(`Cannot read ${what}: it has no .linux section`);
  return {
    image,
    architecture: image.architecture,
    kernel,
    commandLine: commandLineOf(image, what),
    osRelease: content(".osrel"),
    kernelRelease: text(".uname"),
    initramfs: content(".initrd"),
    deviceTree: content(".dtb"),
  };
}

/**
 * The command line of a UKI or an add-on; undefined if it has none.
 * @throws SealrootError `corrupt` for one that is not UTF-8, `unsupported` for several
 */
export function commandLineOf(image: PeImage, what = "PE image"): string | undefined {
  const found = findSection(image, ".cmdline", what);
  return found === undefined ? undefined : textOfSection(sectionContent(image, found), ".cmdline");
}

function section(name: string, content: Uint8Array): NewSection;
function section(name: string, content: Uint8Array | undefined): NewSection | undefined;
function section(name: string, content: Uint8Array | undefined): NewSection | undefined {
  return content === undefined ? undefined : { name, content };
}

function checkedKernel(kernel: Uint8Array, stubArchitecture: EfiArchitecture): PeImage {
  if (kernel[0] !== 0x4d || kernel[1] !== 0x5a) {
    throw new SealrootError("unsupported", "Cannot build the UKI: the kernel has no EFI stub", {
      hint: "use a kernel built with CONFIG_EFI_STUB",
    });
  }
  const image = parsePe(kernel, "kernel");
  const { architecture } = image;
  if (architecture !== stubArchitecture) {
    throw new SealrootError(
      "conflict",
      `Cannot build the UKI: the kernel is for ${architecture}, systemd-stub for ${stubArchitecture}`,
      { expected: stubArchitecture, actual: architecture },
    );
  }
  return image;
}

function lineOfText(text: string, what: string): Uint8Array {
  if (/[\0\n\r]/.test(text)) {
    throw new SealrootError("usage", `Cannot build the UKI: the ${what} holds a NUL or line break`, {
      actual: JSON.stringify(text),
    });
  }
  return Buffer.from(text, "utf8");
}

/** UTF-8; NULs and newlines that other builders leave at the end are not part of the text. */
function textOfSection(content: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(withoutPadding(content));
  } catch {
    throw corrupt(`Cannot read section ${name}: it is not UTF-8 text`);
  }
}
