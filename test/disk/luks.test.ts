/** Encrypted volumes: sectors against XTS by hand, the header against cryptsetup, the whole against e2fsck. */
import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { formatRecoveryKey, LUKS_HEADER_BYTES } from "../../src/bootplan/index.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { type DiskEntry, encryptRoot, planPartitions } from "../../src/disk/index.ts";
import { VolumeCipher } from "../../src/disk/luks/volume-cipher.ts";
import { withDisk } from "../../src/disk/open-disk.ts";
import { rootGeometry } from "../../src/ext4/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { newMetadata } from "../../src/tree/index.ts";
import { planOf } from "./small-disk.ts";

const MIB = 1024 * 1024;
const UUID = "11111111-2222-4333-8444-555555555555";
const FILE_SYSTEM_UUID = "22222222-2222-4333-8444-555555555555";
const scratch = mkdtempSync(join(tmpdir(), "sealroot-luks-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** XTS-AES-256 of one unit (IEEE 1619-2018, 5.3), out of AES alone. */
function xtsByHand(key: Uint8Array, unit: bigint, plain: Uint8Array): Buffer {
  const ecb = (half: Uint8Array, block: Uint8Array) =>
    createCipheriv("aes-256-ecb", half, null).setAutoPadding(false).update(block);
  const start = Buffer.alloc(16);
  start.writeBigUInt64LE(unit);
  const tweak = ecb(key.subarray(32), start);
  const out = Buffer.alloc(plain.length);
  for (let at = 0; at < plain.length; at += 16) {
    const mixed = Buffer.from(plain.subarray(at, at + 16)).map((byte, index) => byte ^ (tweak[index] ?? 0));
    const encrypted = ecb(key.subarray(0, 32), mixed);
    out.set(
      encrypted.map((byte, index) => byte ^ (tweak[index] ?? 0)),
      at,
    );
    let carry = 0;
    for (let index = 0; index < 16; index++) {
      const byte = tweak.readUInt8(index);
      tweak.writeUInt8(((byte << 1) & 0xff) | carry, index);
      carry = byte >>> 7;
    }
    if (carry === 1) tweak.writeUInt8(tweak.readUInt8(0) ^ 0x87, 0);
  }
  return out;
}

test("VolumeCipher encrypts sectors of 4096 bytes, counted in units of 512 from the beginning of the data", () => {
  const key = randomBytes(64);
  const plain = randomBytes(3 * 4096);
  for (const offset of [0, 4096, 5 * 4096, 2 ** 33, 2 ** 45]) {
    const expected = [0, 1, 2].map((sector) =>
      xtsByHand(key, BigInt(offset / 512 + sector * 8), plain.subarray(sector * 4096, (sector + 1) * 4096)),
    );
    const cipher = new VolumeCipher(key);
    assert.deepEqual(cipher.encrypt(plain, offset), Buffer.concat(expected), String(offset));
    assert.deepEqual(cipher.decrypt(Buffer.concat(expected), offset), plain);
  }
});

test("VolumeCipher takes whole sectors and whole keys only", () => {
  assert.throws(() => new VolumeCipher(randomBytes(32)), /a volume key has 64 bytes/);
  const cipher = new VolumeCipher(randomBytes(64));
  assert.throws(() => cipher.encrypt(Buffer.alloc(512), 0), /whole sectors/);
  assert.throws(() => cipher.decrypt(Buffer.alloc(4096), 512), /whole sectors/);
});

interface MadeVolume {
  readonly path: string;
  readonly rootStartBytes: number;
  readonly rootSizeBytes: number;
  readonly recoveryKey: string;
  readonly volumeKey: Uint8Array;
  readonly check: () => Promise<void>;
}

async function makeVolume(name: string, sizeMib: number, entries: readonly DiskEntry[]): Promise<MadeVolume> {
  const directory = join(scratch, name);
  mkdirSync(directory);
  const plan = planPartitions({
    diskSizeBytes: sizeMib * MIB,
    espSizeBytes: 64 * MIB,
    architecture: "amd64",
    seed: "test",
  });
  const disk = { directory, path: "disk" };
  writeFileSync(join(directory, "disk"), "");
  truncateSync(join(directory, "disk"), plan.diskSizeBytes);
  const [volumeKey, recoveryKey] = [randomBytes(64), formatRecoveryKey(randomBytes(32))];
  const content = encryptRoot(planOf(entries), { volumeKey, recoveryKey, fileSystemUuid: FILE_SYSTEM_UUID });
  assert.ok(content.fits(plan.root.sizeBytes));
  const { startBytes, sizeBytes } = plan.root;
  await content.make(disk, { startBytes, sizeBytes, diskIsZeroed: true, uuid: UUID, label: "root", epochSeconds: 1e9 });
  return {
    ...{ path: join(directory, "disk"), rootStartBytes: startBytes, rootSizeBytes: sizeBytes, recoveryKey, volumeKey },
    check: () => withDisk(join(directory, "disk"), (readAt) => content.check(readAt, plan.root)),
  };
}

/** The file system in a volume as a file of its own: every sector decrypted, those that nobody wrote too. */
function decrypted({ path, rootStartBytes, rootSizeBytes }: MadeVolume, key: Uint8Array, name: string): string {
  const cipher = new VolumeCipher(key);
  const [from, to] = [openSync(path, "r"), openSync(join(scratch, name), "w")];
  const piece = Buffer.alloc(MIB);
  for (let offset = 0; offset < rootSizeBytes - LUKS_HEADER_BYTES; offset += MIB) {
    readSync(from, piece, 0, MIB, rootStartBytes + LUKS_HEADER_BYTES + offset);
    writeSync(to, cipher.decrypt(piece, offset), 0, MIB, offset);
  }
  for (const file of [from, to]) closeSync(file);
  return join(scratch, name);
}

const content = randomBytes(3_000_001);
writeFileSync(join(scratch, "content"), content);
const metadata = newMetadata({ mode: 0o644 });
const FILE: DiskEntry = { kind: "file", path: byteStringOfText("file"), metadata, source: join(scratch, "content") };
/** More than a group's worth of inode tables and directories. */
const MANY: readonly DiskEntry[] = [
  FILE,
  ...Array.from(
    { length: 5000 },
    (_, index): DiskEntry => ({
      ...{ kind: "directory", path: byteStringOfText(`directory-${index}`), metadata: newMetadata({ mode: 0o755 }) },
    }),
  ),
];

for (const [name, sizeMib, entries] of [
  ["small", 193, [FILE]],
  ["with many inodes", 450, MANY],
] as const) {
  test(`a ${name} root in a volume is what e2fsck accepts, by the key that cryptsetup gets from the recovery key`, async () => {
    const made = await makeVolume(name, sizeMib, entries);
    await made.check();
    const header = join(scratch, `${name}.header`);
    const bytes = Buffer.alloc(LUKS_HEADER_BYTES);
    const file = openSync(made.path, "r");
    readSync(file, bytes, 0, bytes.length, made.rootStartBytes);
    closeSync(file);
    writeFileSync(header, bytes);
    writeFileSync(join(scratch, `${name}.recovery`), made.recoveryKey);
    const dump = ["luksDump", "--batch-mode", "--dump-volume-key", "--volume-key-file", join(scratch, `${name}.key`)];
    await runTool("cryptsetup", [...dump, "--key-file", join(scratch, `${name}.recovery`), header]);
    const key = readFileSync(join(scratch, `${name}.key`));
    assert.deepEqual(key, Buffer.from(made.volumeKey));
    const said = (await runTool("cryptsetup", ["luksDump", header])).stdout.toString();
    assert.match(said, new RegExp(`UUID:\\s+${UUID}`));
    assert.match(
      said,
      /offset: 16777216 \[bytes\]\s+length: \(whole device\)\s+cipher: aes-xts-plain64\s+sector: 4096/,
    );
    assert.match(said, /0: systemd-recovery\s+Keyslot:\s+0/);
    const plain = decrypted(made, key, `${name}.plain`);
    await runTool("e2fsck", ["-f", "-n", "-E", "no_optimize_extents", plain]);
    const { stdout } = await runTool("debugfs", ["-R", "cat /file", plain]);
    assert.deepEqual(stdout, content);
    assert.match((await runTool("dumpe2fs", ["-h", plain])).stdout.toString(), new RegExp(FILE_SYSTEM_UUID));
    // Nothing of it is there in the clear.
    assert.equal(readFileSync(made.path).indexOf(content.subarray(0, 64)), -1);
  });
}

/** 40 GiB write 700 MB; with SEALROOT_LARGE_DISKS. */
const SIZES_MIB = [211, ...(process.env.SEALROOT_LARGE_DISKS === undefined ? [] : [3 * 1024, 40 * 1024])];

for (const sizeMib of SIZES_MIB) {
  test(`a volume on a disk of ${sizeMib} MiB has the size that was planned, and holes where nothing is`, async () => {
    const made = await makeVolume(`size-${sizeMib}`, sizeMib, [FILE]);
    await made.check();
    assert.equal(made.rootSizeBytes, (sizeMib - 1 - 1 - 64 - 1) * MIB);
    const { size, blocks } = statSync(made.path);
    assert.equal(size, sizeMib * MIB);
    // Header, journal, group descriptors with room for growing, bitmaps, the file; no inode tables, which would be 1/64 of it.
    const { journalMib } = rootGeometry(made.rootSizeBytes - LUKS_HEADER_BYTES);
    assert.ok(blocks * 512 < (24 + journalMib + sizeMib / 128) * MIB, String(blocks * 512));
    rmSync(made.path);
  });
}

test("a volume that was changed on its way is not accepted", async () => {
  const made = await makeVolume("changed", 193, [FILE]);
  const file = openSync(made.path, "r+");
  // In the superblock, and then in the header.
  for (const [offset, message] of [
    [LUKS_HEADER_BYTES + 1024 + 0x38, /there is no ext4 superblock/],
    [5000, /the header of the encrypted volume is another one/],
  ] as const) {
    writeSync(file, Buffer.from([0xa5]), 0, 1, made.rootStartBytes + offset);
    await assert.rejects(made.check(), message);
  }
  closeSync(file);
});

test("a volume needs 16 MiB more than what is in it", () => {
  writeFileSync(join(scratch, "large"), "");
  truncateSync(join(scratch, "large"), 200 * MIB);
  const plain = planOf([FILE, { ...FILE, path: byteStringOfText("large"), source: join(scratch, "large") }]);
  const keys = { volumeKey: randomBytes(64), recoveryKey: "", fileSystemUuid: FILE_SYSTEM_UUID };
  const encrypted = encryptRoot(plain, keys);
  assert.equal(encrypted.bytesNeeded, plain.bytesNeeded + 16 * MIB);
  assert.equal(encrypted.fits(plain.bytesNeeded + 16 * MIB), true);
  assert.equal(encrypted.fits(plain.bytesNeeded), false);
  assert.equal(encrypted.fits(0), false);
  assert.deepEqual([encrypted.blocks, encrypted.inodes], [plain.blocks, plain.inodes]);
});
