/**
 * The boot digest: which deployments share everything that runs before the root (spec/host.md 0, spec/upstream-1.17.md
 * 1).
 */
import { createHash } from "node:crypto";

/** What a deployment boots with: sections of its UKI, or files. */
export interface BootParts {
  readonly kernel: Uint8Array;
  readonly initramfs: Uint8Array | undefined;
  /** `.dtb` of a UKI. */
  readonly deviceTree: Uint8Array | undefined;
}

/**
 * SHA-256 hex of the kernel's bytes directly followed by those of the initramfs and the device tree, if there are any.
 */
export function bootDigest({ kernel, initramfs, deviceTree }: BootParts): string {
  const hash = createHash("sha256").update(kernel);
  for (const part of [initramfs, deviceTree]) if (part !== undefined) hash.update(part);
  return hash.digest("hex");
}
