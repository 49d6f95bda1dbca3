/** `install --encrypt tpm2`: the disk, its recovery key, and what is refused. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { writeCpio } from "../../src/cpio/index.ts";
import { readDiskPartitions } from "../../src/disk/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { type InstallToDiskOptions, installToDisk } from "../../src/install/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles, type SealOptions, SMALL_DISK, sealImage, type1Files, unsealedImage } from "./sealed-image.ts";

const MIB = 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-encrypted-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function directory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

const UNLOCK = "usr/lib/sealroot/bin/systemd-cryptsetup";
const initramfsWith = (path: string) => () =>
  writeCpio([{ kind: "file", path: byteStringOfText(path), mode: 0o755, bytes: Buffer.from("program") }]);
const READY: SealOptions = { policyPhases: ["enter-initrd"], initramfs: initramfsWith(UNLOCK) };

async function imageWith(name: string, options: SealOptions): Promise<string> {
  return (await sealImage(directory(name), baseFiles(), options)).reference;
}

const ready = await imageWith("ready", READY);

function optionsFor(name: string, changes: Partial<InstallToDiskOptions> = {}): InstallToDiskOptions {
  return {
    target: join(directory(name), "disk.img"),
    source: ready,
    ...SMALL_DISK,
    encryption: { kind: "tpm2" },
    events: () => {},
    ...changes,
  };
}

async function refused(options: InstallToDiskOptions): Promise<SealrootError> {
  const error = await installToDisk(options).then(
    () => assert.fail("it was installed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SealrootError, String(error));
  assert.deepEqual(readdirSync(join(options.target, "..")), [], "nothing is left");
  return error;
}

test("an encrypted disk has the partitions of any other, LUKS2 in the root, and is sparse", async () => {
  const disk = await installToDisk(optionsFor("disk"));
  assert.match(disk.encryption?.recoveryKey ?? "", /^(?:[cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}$/);
  assert.deepEqual(readdirSync(join(disk.path, "..")), ["disk.img"]);
  assert.equal(statSync(disk.path).size, 256 * MIB);
  assert.ok(disk.allocatedBytes < 64 * MIB, String(disk.allocatedBytes));
  const { partitions } = await readDiskPartitions(disk.path);
  assert.deepEqual(
    partitions.map(({ name, sizeBytes }) => [name, sizeBytes / MIB]),
    [
      ["BIOS-BOOT", 1],
      ["EFI-SYSTEM", 64],
      ["root", 189],
    ],
  );
  const root = partitions[2]?.startBytes ?? 0;
  const probe = await runTool("blkid", ["--probe", "--offset", String(root), "--output", "export", disk.path]);
  assert.match(probe.stdout.toString(), new RegExp(`UUID=${disk.rootUuid}\\n(?:.*\\n)*TYPE=crypto_LUKS`));
  const { exitCode, out, err } = await run("inspect", "--json", disk.path);
  assert.equal(exitCode, 0, err);
  const part = JSON.parse(out).parts[2];
  assert.deepEqual(part.facts.encryption, "LUKS2, aes-xts-plain64, sectors of 4096 bytes");
  assert.deepEqual(part.facts.keySlots, ["0 recovery key", "1 an empty passphrase: no TPM is enrolled yet"]);
});

test("verify says what of an encrypted disk it has checked, and what not", async () => {
  const disk = await installToDisk(optionsFor("verified"));
  const { exitCode, out } = await run("verify", "--quiet", "--json", disk.path);
  const { links, firstBroken } = JSON.parse(out);
  assert.deepEqual([exitCode, firstBroken], [0, null]);
  type Link = { name: string; state: string; findings: { message: string; remedy?: string }[]; links?: Link[] };
  const all = (list: Link[]): Link[] => list.flatMap((link) => [link, ...all(link.links ?? [])]);
  const states = Object.fromEntries(all(links).map(({ name, state }) => [name, state]));
  assert.deepEqual(states.loader, "verified");
  assert.deepEqual(states.image, "unchecked");
  assert.deepEqual(states.disk, "weaker");
  const messages = all(links).flatMap(({ findings }) =>
    findings.map(({ message, remedy }) => `${message} (${remedy})`),
  );
  assert.ok(
    messages.includes(
      "its root is encrypted: images, objects and state were not looked at (on the host: sealroot verify --booted)",
    ),
    messages.join("\n"),
  );
});

test("the recovery key goes into a file of its own, whatever the umask", async () => {
  const keyFile = join(directory("keys"), "disk.key");
  const umask = process.umask(0o777);
  let disk: Awaited<ReturnType<typeof installToDisk>>;
  try {
    const options = optionsFor("umask");
    process.umask(0o077);
    const running = installToDisk({ ...options, encryption: { kind: "tpm2", recoveryKeyFile: keyFile } });
    disk = await running;
  } finally {
    process.umask(umask);
  }
  assert.deepEqual(disk.encryption, { kind: "tpm2", recoveryKeyFile: keyFile });
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  const { partitions } = await readDiskPartitions(disk.path);
  const header = join(scratch, "umask.header");
  writeFileSync(
    header,
    readFileSync(disk.path)
      .subarray(partitions[2]?.startBytes ?? 0)
      .subarray(0, 16 * MIB),
  );
  // The file as it is opens its slot, and nothing the other one.
  const empty = join(scratch, "empty");
  writeFileSync(empty, "");
  for (const [slot, file] of [
    ["0", keyFile],
    ["1", empty],
  ] as const) {
    await runTool("cryptsetup", ["open", "--test-passphrase", "--key-slot", slot, "--key-file", file, header]);
  }
});

test("a recovery key file that exists is refused before anything is read, and stays", async () => {
  const keyFile = join(directory("old-keys"), "disk.key");
  writeFileSync(keyFile, "of another disk");
  const encryption = { kind: "tpm2", recoveryKeyFile: keyFile } as const;
  const error = await refused(optionsFor("key-there", { source: "oci:/nowhere", encryption }));
  assert.deepEqual([error.code, error.message], ["exists", `Cannot write the recovery key: ${keyFile} exists`]);
  assert.equal(readFileSync(keyFile, "utf8"), "of another disk");
});

test("without a place for its recovery key there is no disk", async () => {
  const keyFile = join(scratch, "no-such-directory/disk.key");
  const error = await refused(optionsFor("no-place", { encryption: { kind: "tpm2", recoveryKeyFile: keyFile } }));
  assert.equal(error.code, "not-found");
  assert.match(error.message, /^Cannot write the recovery key: /);
});

for (const [name, options, message, hint] of [
  [
    "without policies",
    { initramfs: initramfsWith(UNLOCK) },
    "its UKI brings no signed policies for a TPM",
    /keys generate --pcr.*--pcr-phase enter-initrd/,
  ],
  [
    "with policies for later phases too",
    { ...READY, policyPhases: ["enter-initrd", "enter-initrd:leave-initrd"] },
    "a TPM would release its key to more than the initramfs",
    /seal with --pcr-phase enter-initrd/,
  ],
  [
    "with a policy for a later phase alone",
    { ...READY, policyPhases: ["enter-initrd:leave-initrd"] },
    "a TPM would not release its key to the initramfs",
    /seal with --pcr-phase enter-initrd/,
  ],
  [
    "whose initramfs has not the programs",
    { ...READY, initramfs: initramfsWith("usr/bin/systemd-cryptsetup") },
    "its initramfs has no programs that open one",
    /Debian: systemd-cryptsetup libtss2-esys-3\.0\.2-0t64/,
  ],
] as const) {
  test(`an image ${name} is refused`, async () => {
    const error = await refused(optionsFor(`for ${name}`, { source: await imageWith(name, options) }));
    assert.equal(error.code, "unsupported");
    assert.equal(error.message, `Cannot boot this image from an encrypted disk: ${message}`);
    assert.match(error.data.hint ?? "", hint);
  });
}

test("an image without seal is refused", async () => {
  const { reference } = await unsealedImage(directory("unsealed"), [...baseFiles(), ...type1Files()]);
  const unsealed = { kernelArguments: [], removedKernelArguments: [], disableSelinux: false };
  const error = await refused(optionsFor("for-unsealed", { source: reference, unsealed }));
  assert.equal(error.message, "Cannot encrypt the disk: the image is not sealed, so no TPM can tell it");
});

test("--recovery-key-file wants --encrypt", async () => {
  const words = ["install", "to-disk", join(scratch, "x.img"), "--source-imgref", ready, "--size", "1G"];
  const { exitCode, err } = await run(...words, "--recovery-key-file", join(scratch, "x.key"));
  assert.equal(exitCode, 2);
  assert.match(err, /Cannot use --recovery-key-file: the disk is not encrypted\n {2}give --encrypt tpm2/);
});

test("an image that asks for tpm2-luks is honoured by --encrypt, and refused without", async () => {
  const files = [
    ...baseFiles(),
    { path: "usr/lib/bootc/install/50-block.toml", content: '[install]\nblock = ["tpm2-luks"]\n' },
  ];
  const { reference } = await sealImage(directory("wants-luks"), files, READY);
  const error = await refused(optionsFor("plain", { source: reference, encryption: undefined }));
  assert.match(error.message, /install\.block is tpm2-luks, but the disk is not encrypted/);
  assert.equal(error.data.hint, "give --encrypt tpm2 for this disk");
  assert.equal((await installToDisk(optionsFor("honoured", { source: reference }))).encryption?.kind, "tpm2");
});

test("two disks of one image have nothing encrypted in common, even with SOURCE_DATE_EPOCH", async () => {
  const [one, two] = [
    await installToDisk(optionsFor("one", { sourceDateEpoch: 1_700_000_000 })),
    await installToDisk(optionsFor("two", { sourceDateEpoch: 1_700_000_000 })),
  ];
  assert.equal(one.rootUuid, two.rootUuid);
  assert.notEqual(one.encryption?.recoveryKey, two.encryption?.recoveryKey);
  const { partitions } = await readDiskPartitions(one.path);
  const data = (partitions[2]?.startBytes ?? 0) + 16 * MIB;
  const [a, b] = [one, two].map(({ path }) => readFileSync(path));
  assert.ok(a !== undefined && b !== undefined);
  assert.deepEqual(a.subarray(0, partitions[2]?.startBytes), b.subarray(0, partitions[2]?.startBytes));
  assert.notDeepEqual(a.subarray(data, data + 4096), b.subarray(data, data + 4096));
});
