/** EFI programs: UKIs, add-ons, boot loaders, stubs and kernels. */
import { createHash } from "node:crypto";
import { CommandLine, composefsWords, parseOsRelease } from "../bls/index.ts";
import { boundedUnpackers, findBootProgram } from "../bootimage/index.ts";
import { withoutPadding } from "../bytes/index.ts";
import { certificateOf, describeCertificate, readAuthenticode } from "../cms/index.ts";
import { summarizeInitramfs, walkInitramfs } from "../cpio/index.ts";
import {
  authenticodeDigest,
  kernelRelease,
  type PeImage,
  type PeSection,
  parsePe,
  readSignatures,
  sectionContent,
  systemdComponentOf,
} from "../pe/index.ts";
import { signedPoliciesPart, UkiRegisters, ukiMeasurementParts } from "./measurement-part.ts";
import { type Part, PartDraft } from "./part.ts";

/** Sections that hold text. */
const TEXTS: ReadonlySet<string> = new Set([
  ".cmdline",
  ".osrel",
  ".pcrpkey",
  ".pcrsig",
  ".profile",
  ".sbat",
  ".sdmagic",
  ".uname",
]);
/** A longer text is not what its section should hold. */
const TEXT_MAX_BYTES = 64 * 1024;

/** @param name as the user, or the disk, calls it */
export async function programPart(bytes: Uint8Array, name: string): Promise<Part> {
  let image: PeImage;
  try {
    image = parsePe(bytes, name);
  } catch (error) {
    return new PartDraft("EFI program", name)
      .fact("sizeBytes", bytes.length)
      .attempt(() => {
        throw error;
      })
      .finish();
  }
  const draft = new PartDraft(kindOf(image), name);
  const content = (section: string) => contentOf(image, section);
  draft.fact("sizeBytes", bytes.length).fact("architecture", image.architecture);
  draft.attempt(() => addVersion(draft, image));
  draft.attempt(() => addCommandLine(draft, textOf(content(".cmdline"))));
  draft.attempt(() => draft.fact("kernelRelease", textOf(content(".uname"))));
  draft.attempt(() => addOsRelease(draft, textOf(content(".osrel"))));
  draft.attempt(() => addInitramfs(draft, content(".initrd")));
  draft.attempt(() => draft.fact("authenticodeSha256", Buffer.from(authenticodeDigest(image)).toString("hex")));
  for (const section of image.sections) draft.add(sectionPart(image, section));
  if (image.sections.some(({ name }) => name === ".linux")) {
    const registers = new UkiRegisters(image);
    draft.attempt(() => draft.add(...ukiMeasurementParts(registers)));
    draft.attempt(() => {
      const policies = signedPoliciesPart(registers);
      if (policies !== undefined) draft.add(policies);
    });
  }
  await draft.attemptAsync(async () => {
    for (const [index, message] of readSignatures(image).entries()) draft.add(await signaturePart(message, index));
  });
  return draft.finish();
}

function kindOf(image: PeImage): string {
  const has = (name: string) => image.sections.some((section) => section.name === name);
  if (has(".linux")) return "UKI";
  const component = orUndefined(() => systemdComponentOf(image)?.component);
  if (component === "systemd-boot") return "boot loader";
  if (component === "systemd-stub") return "EFI stub";
  if (component === "systemd-addon" || has(".cmdline")) return "add-on";
  return orUndefined(() => kernelRelease(image.bytes)) === undefined ? "EFI program" : "kernel";
}

function addVersion(draft: PartDraft, image: PeImage): void {
  const component = systemdComponentOf(image);
  draft.fact("systemd", component && `${component.component} ${component.version}`);
  const kernel = contentOf(image, ".linux") ?? image.bytes;
  draft.fact(
    "kernelVersion",
    orUndefined(() => kernelRelease(kernel)),
  );
}

function addCommandLine(draft: PartDraft, line: string | undefined): void {
  draft.fact("commandLine", line);
  const words = line === undefined ? [] : composefsWords(CommandLine.parse(line));
  if (words.length > 0) draft.fact("images", words);
}

function addOsRelease(draft: PartDraft, text: string | undefined): void {
  if (text === undefined) return;
  const release = parseOsRelease(text);
  draft.fact("os", release.get("PRETTY_NAME") ?? release.get("NAME") ?? release.get("ID"));
  draft.fact("osVersion", release.get("IMAGE_VERSION") ?? release.get("VERSION_ID"));
}

function addInitramfs(draft: PartDraft, initramfs: Uint8Array | undefined): void {
  if (initramfs === undefined) return;
  const { kind } = summarizeInitramfs(walkInitramfs(initramfs, boundedUnpackers()));
  if (kind.kind !== "unknown") draft.fact("initramfs", kind.kind);
  draft.fact("rootMadeBy", findBootProgram(initramfs) ?? "unknown");
}

function sectionPart(image: PeImage, section: PeSection): Part {
  const draft = new PartDraft("section", section.name);
  draft.fact("sizeBytes", section.virtualSizeBytes).fact("offset", section.rawOffset);
  return draft
    .attempt(() => {
      const bytes = sectionContent(image, section);
      if (TEXTS.has(section.name)) draft.fact("text", textOf(bytes));
      draft.fact("sha256", createHash("sha256").update(bytes).digest("hex"));
    })
    .finish();
}

async function signaturePart(message: Uint8Array, index: number): Promise<Part> {
  const draft = new PartDraft("signature", String(index + 1)).fact("sizeBytes", message.length);
  await draft.attemptAsync(async () => {
    const { digestAlgorithm, imageDigest, certificates } = await readAuthenticode(message);
    draft.fact("digestAlgorithm", digestAlgorithm).fact("imageDigest", Buffer.from(imageDigest).toString("hex"));
    for (const certificate of certificates) draft.add(certificatePart(certificate));
  });
  return draft.finish();
}

function certificatePart(der: Uint8Array): Part {
  try {
    const { subject, ...facts } = describeCertificate(certificateOf(der));
    const draft = new PartDraft("certificate", subject);
    for (const [name, value] of Object.entries(facts)) draft.fact(name, value);
    return draft.finish();
  } catch (error) {
    return new PartDraft("certificate", "unreadable")
      .attempt(() => {
        throw error;
      })
      .finish();
  }
}

/** Of the first section of that name: a program with several is shown section by section all the same. */
function contentOf(image: PeImage, name: string): Uint8Array | undefined {
  const section = image.sections.find((candidate) => candidate.name === name);
  return section === undefined ? undefined : sectionContent(image, section);
}

/** Texts end at the NUL or line break with which builders fill them up. */
function textOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  return Buffer.from(withoutPadding(bytes.subarray(0, TEXT_MAX_BYTES))).toString("utf8");
}

function orUndefined<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch {
    // What it is not, it cannot tell.
    return undefined;
  }
}
