/** How much a deployment is worth against somebody who changes its disk: one word and one sentence for each tier. */
import type { BootType } from "./origin.ts";

/**
 * From best to worst. `sealed`: a UKI names the image, and fs-verity is required. `lenient`: a UKI, but files without
 * fs-verity are accepted. `unsealed`: kernel, initramfs and command line are files that anyone may replace; fs-verity
 * finds damage only. `unchecked`: not even that.
 */
export type Protection = "sealed" | "lenient" | "unsealed" | "unchecked";

export interface ProtectionFacts {
  readonly bootType: BootType;
  /** The command line has `composefs=?`. */
  readonly missingVerityAllowed: boolean;
}

/** Undefined for a deployment that boots the Android way, about which nothing is known here. */
export function protectionOf({ bootType, missingVerityAllowed }: ProtectionFacts): Protection | undefined {
  if (bootType === "aboot") return undefined;
  if (bootType === "uki") return missingVerityAllowed ? "lenient" : "sealed";
  return missingVerityAllowed ? "unchecked" : "unsealed";
}

/** For people: what a tier means. */
export const PROTECTION_TEXT: Readonly<Record<Protection, string>> = {
  sealed: "sealed, fs-verity required",
  lenient: "sealed, but fs-verity is not required (composefs=?)",
  unsealed: "not sealed: whoever can write to the disk decides what boots; fs-verity finds damage",
  unchecked: "none: not sealed, and fs-verity is not required (composefs=?)",
};
