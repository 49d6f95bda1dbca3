/** Attacks on what firmware checks: the boot loader and the UKI. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { generateKeys, loadSigner } from "../../src/keys/index.ts";
import { detachSignatures, findSection, parsePe, signPe } from "../../src/pe/index.ts";
import { assertRefused, LOADER_PATH, type SealedExample, sealedExample } from "./sealed-example.ts";

/** OVMF about the boot loader (spec/boot-chain.md C, "Results"). */
const LOADER_REFUSED = [/failed to load Boot\d+ .*: Access Denied/];

/**
 * systemd-boot about the UKI, or OVMF about the systemd-boot that gave up because of it: on a busy machine firmware
 * loses characters of long lines, and the first of the two is 190 characters long.
 */
const UKI_REFUSED = [/Error loading \\EFI\\Linux\\bootc\\.*: Access denied|failed to start Boot\d+ .*: Access Denied/];

/** The image with one bit of a section's content inverted. */
function flipInSection(image: Uint8Array, name: string): Uint8Array {
  const section = findSection(parsePe(image), name);
  if (section === undefined) throw new Error(`no section ${name}`);
  const changed = Uint8Array.from(image);
  const offset = section.rawOffset + Math.floor(section.virtualSizeBytes / 2);
  changed[offset] = (changed[offset] ?? 0) ^ 1;
  return changed;
}

describe("with Secure Boot on, the firmware refuses", () => {
  let example: SealedExample;
  before(async () => {
    example = await sealedExample();
  });

  async function signWithForeignKey(image: Uint8Array): Promise<Uint8Array> {
    const directory = await mkdtemp(join(tmpdir(), "foreign-keys-"));
    try {
      await generateKeys(join(directory, "keys"), { commonName: "attacker", now: new Date() });
      return await signPe(detachSignatures(image), loadSigner(join(directory, "keys")));
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  const replaceUki = (change: (uki: Uint8Array) => Promise<Uint8Array> | Uint8Array) =>
    assertRefused(
      example,
      async (disk) => disk.writeEsp(example.ukiPath, await change(await disk.readEsp(example.ukiPath))),
      UKI_REFUSED,
    );

  const replaceLoader = (change: (loader: Uint8Array) => Promise<Uint8Array> | Uint8Array) =>
    assertRefused(
      example,
      async (disk) => disk.writeEsp(LOADER_PATH, await change(await disk.readEsp(LOADER_PATH))),
      LOADER_REFUSED,
    );

  test("an unsigned UKI", () => replaceUki(detachSignatures));
  test("a UKI signed by another key", () => replaceUki(signWithForeignKey));
  test("a UKI with a byte flipped in its command line", () => replaceUki((uki) => flipInSection(uki, ".cmdline")));
  test("a UKI with a byte flipped in its initramfs", () => replaceUki((uki) => flipInSection(uki, ".initrd")));
  test("a UKI with a byte flipped in its kernel", () => replaceUki((uki) => flipInSection(uki, ".linux")));
  test("an unsigned boot loader", () => replaceLoader(detachSignatures));
  test("a boot loader with a byte flipped", () => replaceLoader((loader) => flipInSection(loader, ".text")));
});
