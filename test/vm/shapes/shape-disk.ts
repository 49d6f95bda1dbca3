/** A shape, sealed and installed to a disk file, and proofs that a booted one prints by itself. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { DebianImage } from "../../../examples/debian/image.ts";
import { run } from "../../cli/run-verb.ts";
import { type VariantFile, type VariantImage, type VariantOptions, variantImage } from "../variant-image.ts";

export interface ShapeDisk extends VariantImage {
  readonly diskPath: string;
}

/**
 * Seals the image with `options` and installs it, both by whole command lines.
 * @param directory exists, and gets everything that is made; `keys` in it are the keys
 */
export async function shapeDisk(directory: string, image: DebianImage, options: VariantOptions): Promise<ShapeDisk> {
  const base = { imageDirectory: image.directory, keysDirectory: join(directory, "keys") };
  const variant = await variantImage(base, directory, options);
  const diskPath = join(directory, `${options.name}.img`);
  const words = ["install", "to-disk", diskPath, "--source-imgref", variant.reference, "--size", "2G"];
  const { exitCode, err } = await run(...words, "--target-imgref", "localhost/shape:1", "--insecure-policy");
  assert.equal(exitCode, 0, err);
  return { ...variant, diskPath };
}

/** Printed on the console by a system that no agent can be brought into, a line each. */
const PROOF = `[Unit]
Description=Proofs for the test
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=tty
TTYPath=/dev/console
ExecStart=/bin/sh -c 'echo "proof: root $$(findmnt -no SOURCE /)"; echo "proof: options $$(findmnt -no OPTIONS /)"; \\
  echo "proof: kernel $$(uname -r)"; echo "proof: image $$(findmnt -no FSTYPE,SOURCE /run/sealroot/image 2>&1)"; \\
  touch /usr/written 2>/dev/null || echo "proof: /usr is read-only"; touch /etc/written /var/written && echo "proof: state"; \\
  od -An -tx1 -j4 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c | sed "s/^/proof: secure boot/"; \\
  echo "proof: end"'
`;

const UNITS = "usr/lib/systemd/system";

/** Files of an image that proves itself. */
export const PROOF_FILES: Readonly<Record<string, VariantFile>> = {
  [`${UNITS}/shape-proof.service`]: PROOF,
  [`${UNITS}/multi-user.target.wants/shape-proof.service`]: { linkTo: "../shape-proof.service" },
};
