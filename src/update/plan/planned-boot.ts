/** What changes before the root is mounted: kernel, its arguments, and what a TPM measures of them. */

import type { CommandLine } from "../../bls/index.ts";
import { sameArguments, sharesKernel } from "../../host/index.ts";
import { findSection, sectionContent, type Uki } from "../../pe/index.ts";
import type { PlannedBoot, PlannedTpm } from "./update-plan.ts";

/** Chosen by what they name, which is another image each time. */
const ROOT_ARGUMENTS: ReadonlySet<string> = new Set(["composefs", "composefs.digest"]);
/** systemd-stub(7): programs by firmware; sections of the UKI, and arguments of add-ons, by the stub. */
const PCR = { programs: 4, uki: 11, arguments: 12 } as const;

/** What a deployment starts with. */
export interface BootParts {
  readonly commandLine: CommandLine;
  /** Kernel arguments of the add-ons of this deployment alone, a text for each. */
  readonly scopedAddons: readonly string[];
  /** Those of the add-ons of every deployment. */
  readonly globalAddons: readonly string[];
  /** Of kernel, initramfs and device tree; undefined when its record does not say. */
  readonly bootDigest: string | undefined;
  /** Undefined of one that a Type 1 entry starts. */
  readonly uki: Uki | undefined;
}

export const NO_ADDONS_LOADED: Pick<BootParts, "scopedAddons" | "globalAddons"> = {
  scopedAddons: [],
  globalAddons: [],
};

const WITHOUT_UKI =
  "without a UKI firmware, boot loader and kernel measure kernel, initramfs and command line each by itself; the command line, and with it PCR 8 (GRUB) or 12 (systemd-boot), always changes";

/**
 * Compares what runs with what comes.
 * @param crypttab the text of the live `/etc/crypttab`; empty when there is none
 * @param encryptedRoot the partition of a root that is encrypted; undefined of another one
 */
export function plannedBoot(
  current: BootParts,
  next: BootParts,
  crypttab: string,
  encryptedRoot?: string | undefined,
): PlannedBoot {
  const [before, after] = [current, next].map((parts) => argumentsOf(withAddons(parts, true))) as [string[], string[]];
  // What is not known to be the same is another.
  const kernelChanges = sharesKernel(current, next) !== true;
  const volumes = [...(encryptedRoot === undefined ? [] : [encryptedRoot]), ...tpmVolumes(crypttab)];
  const hasUkis = current.uki !== undefined && next.uki !== undefined;
  return {
    kernelArguments: { added: without(after, before), removed: without(before, after) },
    kernelChanges,
    softReboot: !kernelChanges && sameArguments(withAddons(next, false), withAddons(current, false)),
    tpm: hasUkis
      ? plannedTpm({ current, next, before: current.uki, after: next.uki }, volumes)
      : { unknown: WITHOUT_UKI },
  };
}

/** As the stub puts it together; global ones are not this update's alone, and a soft reboot keeps them. */
function withAddons({ commandLine, scopedAddons, globalAddons }: BootParts, withGlobal: boolean): CommandLine {
  const addons = [...scopedAddons, ...(withGlobal ? globalAddons : [])];
  return addons.reduce((line, text) => line.append(text), commandLine);
}

function argumentsOf(line: CommandLine): string[] {
  return line.arguments.filter(({ key }) => !ROOT_ARGUMENTS.has(key)).map(({ text }) => text);
}

/** Each as often as it is there more. */
function without(texts: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return texts.filter((text) => {
    const at = left.indexOf(text);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

interface Ukis {
  readonly current: BootParts;
  readonly next: BootParts;
  readonly before: Uki;
  readonly after: Uki;
}

function plannedTpm({ current, next, before, after }: Ukis, volumes: readonly string[]): PlannedTpm {
  const isSame = Buffer.compare(before.image.bytes, after.image.bytes) === 0;
  const lines = ({ scopedAddons, globalAddons }: BootParts) => JSON.stringify([scopedAddons, globalAddons]);
  // The firmware measures an add-on as it does every program, the stub its arguments (systemd-stub(7)).
  const isSameLine = lines(current) === lines(next);
  const changedPcrs = [
    ...(isSame && isSameLine ? [] : [PCR.programs]),
    ...(isSame ? [] : [PCR.uki]),
    ...(isSameLine ? [] : [PCR.arguments]),
  ];
  const [own, other] = [policyKey(before), policyKey(after)];
  const signedPolicy =
    own === undefined
      ? other === undefined
        ? "none"
        : "added"
      : other === undefined
        ? "lost"
        : Buffer.compare(own, other) === 0
          ? "same-key"
          : "other-key";
  return { changedPcrs, signedPolicy, volumes };
}

/** The key of the policies that a UKI carries (systemd-stub(7), `.pcrsig` and `.pcrpkey`); undefined without policies. */
function policyKey({ image }: Uki): Uint8Array | undefined {
  const content = (name: string) => {
    const section = findSection(image, name, "UKI");
    return section === undefined ? undefined : sectionContent(image, section);
  };
  return content(".pcrsig") === undefined ? undefined : (content(".pcrpkey") ?? new Uint8Array(0));
}

/** Names of the volumes with `tpm2-device=` (crypttab(5)). */
export function tpmVolumes(crypttab: string): string[] {
  return crypttab.split("\n").flatMap((line) => {
    const [name = "", , , options = ""] = line.trim().split(/\s+/);
    const isUnlocked = options.split(",").some((option) => option.startsWith("tpm2-device="));
    return name.startsWith("#") || !isUnlocked ? [] : [name];
  });
}
