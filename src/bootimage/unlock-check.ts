/** Whether a UKI opens a root that is encrypted for a TPM, and nothing but its initramfs gets the key. */
import { walkInitramfs } from "../cpio/index.ts";
import { SealrootError } from "../errors/index.ts";
import { findSection, type PeImage, parsePe, sectionContent, ukiPolicies } from "../pe/index.ts";
import { BOOT_PHASE_PATHS, isSignedBy, parsePcrSignatures, parsePolicyKey } from "../tpm/index.ts";
import { boundedUnpackers } from "./initramfs-archives.ts";

/** In the initramfs alone: there, nothing of the disk has run yet. */
const UNLOCK_PHASE = "enter-initrd";
/** The bank in which systemd has a TPM verify signatures (systemd, tpm2-util.c, tpm2_policy_authorize()). */
const BANK = "sha256";
/** Of our minimal initramfs (src/seal/initramfs/common-entries.ts). */
const UNLOCK_PROGRAM = "usr/lib/sealroot/bin/systemd-cryptsetup";
const PACKAGES =
  "Debian: systemd-cryptsetup libtss2-esys-3.0.2-0t64 libtss2-rc0t64 libtss2-tcti-device0t64; Fedora: systemd-udev tpm2-tss";

/**
 * Checks a UKI for an encrypted disk.
 *
 * A signature for a later phase is refused: a system made by whoever has the disk gets as far as that, with a root of his own, and
 * the TPM would release the key of the true one to it.
 *
 * @throws SealrootError `unsupported` naming what is missing and the way out
 */
export function checkOpensEncryptedRoot(uki: Uint8Array): void {
  const image = parsePe(uki, "the UKI");
  checkPolicies(image);
  const initramfs = contentOf(image, ".initrd");
  if (initramfs !== undefined && hasFile(initramfs, UNLOCK_PROGRAM)) return;
  throw refused("its initramfs has no programs that open one", {
    expected: UNLOCK_PROGRAM,
    hint: `install them in the image and seal it again, without --initramfs extend (${PACKAGES})`,
  });
}

function checkPolicies(image: PeImage): void {
  const [key, signatures] = [contentOf(image, ".pcrpkey"), contentOf(image, ".pcrsig")];
  if (key === undefined || signatures === undefined) {
    throw refused("its UKI brings no signed policies for a TPM", {
      expected: ".pcrpkey and .pcrsig",
      hint: `make a key (sealroot keys generate --pcr) and seal with it, with --pcr-phase ${UNLOCK_PHASE}`,
    });
  }
  const publicKey = parsePolicyKey(key, ".pcrpkey");
  const list = (parsePcrSignatures(signatures, ".pcrsig")[BANK] ?? []).filter((one) =>
    isSignedBy(one, BANK, publicKey),
  );
  const known = ukiPolicies(image, [BANK], ["", ...BOOT_PHASE_PATHS]);
  const phases = list.map(({ pol }) => {
    return known.find(({ digest }) => Buffer.from(digest).toString("hex") === pol)?.phasePath ?? `policy ${pol}`;
  });
  if (phases.length > 0 && phases.every((phase) => phase === UNLOCK_PHASE)) return;
  throw refused(
    phases.includes(UNLOCK_PHASE)
      ? "a TPM would release its key to more than the initramfs"
      : "a TPM would not release its key to the initramfs",
    {
      expected: UNLOCK_PHASE,
      actual: phases.join(", ") || "no signature by the key of .pcrpkey",
      hint: `seal with --pcr-phase ${UNLOCK_PHASE}, and a key that has signed no later phase`,
    },
  );
}

function contentOf(image: PeImage, name: string): Uint8Array | undefined {
  const section = findSection(image, name);
  return section && sectionContent(image, section);
}

function hasFile(initramfs: Uint8Array, path: string): boolean {
  for (const { entries } of walkInitramfs(initramfs, boundedUnpackers())) {
    if (entries.some((entry) => entry.kind === "file" && entry.path.replace(/^\.?\//, "") === path)) return true;
  }
  return false;
}

function refused(state: string, data: { expected: string; actual?: string; hint: string }): SealrootError {
  return new SealrootError("unsupported", `Cannot boot this image from an encrypted disk: ${state}`, data);
}
