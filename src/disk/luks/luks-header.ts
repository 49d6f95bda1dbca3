/** Makes the header of a LUKS2 volume with cryptsetup(8), in a plain file: nothing is mapped, so no root is needed. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LUKS_CIPHER, LUKS_HEADER_BYTES, MINIMAL_ITERATIONS, readLuksVolume } from "../../bootplan/index.ts";
import { corrupt } from "../../errors/index.ts";
import { runDiskTool } from "../disk-tool.ts";
import type { WorkDisk } from "../work-disk.ts";
import { VOLUME_KEY_BYTES, VOLUME_SECTOR_BYTES } from "./volume-cipher.ts";

/** What opens a new volume. */
export interface LuksSecrets {
  readonly volumeKey: Uint8Array;
  /** The passphrase of key slot 0. Key slot 1 has an empty one, until a TPM is enrolled. */
  readonly recoveryKey: string;
}

const TIMEOUT_MS = 300_000;
const LUKS_UNIT_BYTES = 512;
const RECOVERY_SLOT = 0;
const OPEN_SLOT = 1;
/** Unlike passphrases, what is random, or nothing at all, gains nothing by stretching. */
const PBKDF = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", String(MINIMAL_ITERATIONS), "--hash", "sha512"];
/** As systemd-cryptenroll(1) marks the slot of a recovery key. */
const RECOVERY_TOKEN = JSON.stringify({ type: "systemd-recovery", keyslots: [String(RECOVERY_SLOT)] });

/**
 * @param disk whose directory takes the files of a moment, secrets among them
 * @param uuid of the volume
 * @returns the whole header, as long as the data's offset
 * @throws SealrootError `missing-tool`; `failed` when cryptsetup complains; `corrupt` when it made another header than wanted
 */
export async function makeLuksHeader(disk: WorkDisk, uuid: string, secrets: LuksSecrets): Promise<Uint8Array> {
  const put = (name: string, content: Uint8Array | string) => {
    writeFileSync(join(disk.directory, name), content, { mode: 0o600, flag: "wx" });
    return name;
  };
  const header = put("luks-header", "");
  // With room for data, or cryptsetup says that there is none.
  truncateSync(join(disk.directory, header), LUKS_HEADER_BYTES + VOLUME_SECTOR_BYTES);
  const volumeKey = put("luks-volume-key", secrets.volumeKey);
  const recoveryKey = put("luks-recovery-key", secrets.recoveryKey);
  const nothing = put("luks-empty-key", "");
  const run = (words: readonly string[], input?: string) =>
    runDiskTool(disk, "cryptsetup", words, { timeoutMs: TIMEOUT_MS, ...(input === undefined ? {} : { input }) });
  const shape = [
    ...["--type", "luks2", "--cipher", LUKS_CIPHER, "--key-size", String(VOLUME_KEY_BYTES * 8)],
    ...["--sector-size", String(VOLUME_SECTOR_BYTES), "--uuid", uuid],
    ...["--offset", String(LUKS_HEADER_BYTES / LUKS_UNIT_BYTES)],
  ];
  const key = ["--volume-key-file", volumeKey];
  await run([
    ...["luksFormat", "--batch-mode", ...shape, ...PBKDF, ...key],
    ...["--key-slot", String(RECOVERY_SLOT), "--key-file", recoveryKey, header],
  ]);
  await run(["token", "import", "--json-file", "-", header], RECOVERY_TOKEN);
  await run([
    ...["luksAddKey", "--batch-mode", ...PBKDF, ...key, "--key-slot", String(OPEN_SLOT)],
    ...["--new-keyfile", nothing, header],
  ]);
  const bytes = readFileSync(join(disk.directory, header)).subarray(0, LUKS_HEADER_BYTES);
  checkHeader(bytes, uuid);
  return bytes;
}

function checkHeader(bytes: Uint8Array, uuid: string): void {
  const volume = readLuksVolume(bytes);
  const found = JSON.stringify([bytes.length, volume]);
  const slots = [
    { number: RECOVERY_SLOT, use: "recovery" },
    { number: OPEN_SLOT, use: "open" },
  ];
  const wanted = {
    uuid,
    cipher: LUKS_CIPHER,
    sectorBytes: VOLUME_SECTOR_BYTES,
    dataOffsetBytes: LUKS_HEADER_BYTES,
    slots,
  };
  const expected = JSON.stringify([LUKS_HEADER_BYTES, wanted]);
  if (found !== expected) {
    throw corrupt("Cannot use the header of the encrypted volume: cryptsetup made another one than it was told to", {
      expected,
      actual: found,
    });
  }
}
