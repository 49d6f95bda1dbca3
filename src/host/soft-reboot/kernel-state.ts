/** Whether a deployment can be changed to without starting its kernel anew (spec/host-lifecycle.md 8). */
import type { CommandLine } from "../../bls/index.ts";
import { findSection, sectionContent, type Uki } from "../../pe/index.ts";

/** What a deployment's kernel is, before anything is known of its arguments. */
export interface StartedKernel {
  /** Of kernel, initramfs and device tree; undefined when its record does not say. */
  readonly bootDigest: string | undefined;
  /** Undefined of one that a Type 1 entry starts. */
  readonly uki: Uki | undefined;
}

/** What stays in force until the machine starts anew (uapi-group.org, UKI specification, "UKI Components"). */
const KERNEL_SECTIONS = [".linux", ".dtb", ".ucode"];

/**
 * True when both start the same kernel. bootc compares boot digests, which include the initramfs; that of a sealed image
 * says which image it may mount, so no two have the same one, and a kernel that runs has no use for it any more.
 *
 * @returns undefined when that is not known
 * @throws SealrootError as findSection for a UKI that no reader takes alike
 */
export function sharesKernel(one: StartedKernel, other: StartedKernel): boolean | undefined {
  const [own, others] = [one.uki, other.uki];
  if (own !== undefined && others !== undefined) {
    return KERNEL_SECTIONS.every((name) => sameBytes(section(own, name), section(others, name)));
  }
  const [digest, otherDigest] = [one.bootDigest, other.bootDigest];
  return digest === undefined || otherDigest === undefined ? undefined : digest === otherDigest;
}

function section({ image }: Uki, name: string): Uint8Array | undefined {
  const found = findSection(image, name, "UKI");
  return found && sectionContent(image, found);
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}

/**
 * True when the two command lines differ in nothing but the root image: each argument of one stands on the other as
 * well. Their order does not matter.
 */
export function sameArguments(one: CommandLine, other: CommandLine): boolean {
  const texts = (line: CommandLine) =>
    new Set(
      line.arguments.filter(({ key }) => key !== "composefs" && key !== "composefs.digest").map(({ text }) => text),
    );
  const [own, others] = [texts(one), texts(other)];
  return own.size === others.size && [...own].every((text) => others.has(text));
}
