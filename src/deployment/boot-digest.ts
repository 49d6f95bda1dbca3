/** The boot digest: which deployments share kernel and initramfs (spec/host.md 0). */
import { createHash } from "node:crypto";

/** SHA-256 hex of the kernel's bytes directly followed by the initramfs's. */
export function bootDigest(kernel: Uint8Array, initramfs: Uint8Array | undefined): string {
  const hash = createHash("sha256").update(kernel);
  if (initramfs !== undefined) hash.update(initramfs);
  return hash.digest("hex");
}
