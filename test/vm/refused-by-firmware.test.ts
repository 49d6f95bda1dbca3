/** Attacks on what firmware checks: the boot loader and the UKI. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { generateKeys, loadCertificates, loadEnrolment, loadSigner, revoke } from "../../src/keys/index.ts";
import { detachSignatures, findSection, parsePe, signPe } from "../../src/pe/index.ts";
import { assertRefused, LOADER_PATH, LOADER_REFUSED, type SealedExample, sealedExample } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const ENTRIES = "loader/entries";
const AUTO = "loader/keys/auto";

/**
 * systemd-boot about the UKI, or OVMF about the systemd-boot that gave up because of it: on a busy machine firmware
 * loses characters of long lines, and the first of the two is 190 characters long.
 */
const UKI_REFUSED = [/Error loading \\EFI\\Linux\\bootc\\.*: Access denied|failed to start Boot\d+ .*: Access Denied/];

/** systemd-boot without an entry of an operating system: a menu with its own, which ends in the firmware's setup. */
const NOTHING_TO_START = [/Reboot Into Firmware Interface/, /Boot in 1 s\./];

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

  async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
    const directory = await mkdtemp(join(tmpdir(), "refused-"));
    try {
      return await use(directory);
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  const withForeignKeys = <T>(use: (keys: string) => Promise<T>) =>
    withDirectory(async (directory) => {
      await generateKeys(join(directory, "keys"), { commonName: "attacker", now: new Date() });
      return await use(join(directory, "keys"));
    });

  const signWithForeignKey = (image: Uint8Array) =>
    withForeignKeys((keys) => signPe(detachSignatures(image), loadSigner(keys)));

  const replaceUki = (change: (uki: Uint8Array) => Promise<Uint8Array> | Uint8Array) =>
    assertRefused(example, {
      damage: async (disk) => disk.writeEsp(example.ukiPath, await change(await disk.readEsp(example.ukiPath))),
      link: "uki",
      signs: UKI_REFUSED,
    });

  const replaceLoader = (change: (loader: Uint8Array) => Promise<Uint8Array> | Uint8Array) =>
    assertRefused(example, {
      damage: async (disk) => disk.writeEsp(LOADER_PATH, await change(await disk.readEsp(LOADER_PATH))),
      link: "loader",
      signs: LOADER_REFUSED,
    });

  test("an unsigned UKI", () => replaceUki(detachSignatures));
  test("a UKI signed by another key", () => replaceUki(signWithForeignKey));
  test("a UKI with a byte flipped in its command line", () => replaceUki((uki) => flipInSection(uki, ".cmdline")));
  test("a UKI with a byte flipped in its initramfs", () => replaceUki((uki) => flipInSection(uki, ".initrd")));
  test("a UKI with a byte flipped in its kernel", () => replaceUki((uki) => flipInSection(uki, ".linux")));
  test("an unsigned boot loader", () => replaceLoader(detachSignatures));
  test("a boot loader with a byte flipped", () => replaceLoader((loader) => flipInSection(loader, ".text")));

  test("a boot loader signed by another key", ONLY_IN_WHOLE_SUITE, () => replaceLoader(signWithForeignKey));
  test("a boot loader that is not there", ONLY_IN_WHOLE_SUITE, () =>
    assertRefused(example, {
      async damage(disk) {
        for (const path of [LOADER_PATH, "EFI/systemd/systemd-bootx64.efi"]) await disk.removeEsp(path);
      },
      link: "loader",
      signs: [/failed to load Boot\d+ .*: Not Found/],
    }),
  );
  test("a UKI of no bytes", ONLY_IN_WHOLE_SUITE, () => replaceUki(() => new Uint8Array()));
  test("half a UKI", ONLY_IN_WHOLE_SUITE, () => replaceUki((uki) => uki.subarray(0, uki.length >> 1)));

  test("a UKI that is not there", ONLY_IN_WHOLE_SUITE, () =>
    assertRefused(example, {
      damage: (disk) => disk.removeEsp(example.ukiPath),
      link: "entry",
      signs: NOTHING_TO_START,
    }),
  );
  test("an ESP without an entry", ONLY_IN_WHOLE_SUITE, () =>
    assertRefused(example, {
      async damage(disk) {
        for (const name of await disk.listEsp(ENTRIES)) await disk.removeEsp(`${ENTRIES}/${name}`);
      },
      link: "entry",
      signs: NOTHING_TO_START,
    }),
  );
  test("an entry of a form that this loader does not know", ONLY_IN_WHOLE_SUITE, () =>
    assertRefused(example, {
      async damage(disk) {
        for (const name of await disk.listEsp(ENTRIES)) {
          const text = (await disk.readEsp(`${ENTRIES}/${name}`)).toString();
          assert.match(text, /^efi /m);
          await disk.writeEsp(`${ENTRIES}/${name}`, Buffer.from(text.replace(/^efi /m, "uki ")));
        }
      },
      link: "entry",
      signs: NOTHING_TO_START,
    }),
  );

  test("the disk of a machine with other keys", ONLY_IN_WHOLE_SUITE, () =>
    withForeignKeys(async (keys) => {
      const enrolment = await loadEnrolment(keys, new Date());
      await assertRefused(example, {
        async damage(disk) {
          for (const name of ["PK", "KEK", "db"] as const) await disk.writeEsp(`${AUTO}/${name}.auth`, enrolment[name]);
        },
        link: "loader",
        signs: LOADER_REFUSED,
        machine: { secureBoot: loadCertificates(keys) },
      });
    }),
  );

  test("a UKI that `keys revoke` revoked, once the boot loader has enrolled the keys", ONLY_IN_WHOLE_SUITE, () =>
    withDirectory(async (directory) => {
      const keys = join(directory, "keys");
      await cp(example.keysDirectory, keys, { recursive: true });
      await assertRefused(example, {
        async damage(disk) {
          await writeFile(join(directory, "uki.efi"), await disk.readEsp(example.ukiPath));
          const signer = async () => loadSigner(keys, "KEK");
          await revoke(keys, [join(directory, "uki.efi")], signer, new Date());
          await disk.writeEsp(`${AUTO}/dbx.auth`, await readFile(join(keys, "dbx.auth")));
        },
        link: "uki",
        signs: [/Enrolling secure boot keys/i, ...UKI_REFUSED],
        isInSetupMode: true,
      });
    }),
  );
});
