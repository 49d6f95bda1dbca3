import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type InstallToDiskOptions, installToDisk } from "../../src/install/index.ts";
import { baseFiles, sealImage } from "./sealed-image.ts";

const MIB = 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-device-"));
const backing = join(scratch, "backing");
writeFileSync(backing, "");
truncateSync(backing, 256 * MIB);
const loop = spawnSync("losetup", ["--find", "--show", backing], { encoding: "utf8" });
const device = loop.status === 0 ? loop.stdout.trim() : undefined;
// Loop devices need root and a kernel that has them; everything else about devices is tested with a made-up sysfs.
const skip = device === undefined ? `no loop device to be had: ${loop.stderr ?? "losetup is missing"}` : false;
after(() => {
  if (device !== undefined) spawnSync("losetup", ["--detach", device]);
  rmSync(scratch, { recursive: true, force: true });
});

async function optionsFor(target: string): Promise<InstallToDiskOptions> {
  const directory = mkdtempSync(join(scratch, "image-"));
  return {
    target,
    source: (await sealImage(directory, baseFiles())).reference,
    espSizeBytes: 64 * MIB,
    wipe: false,
    targetName: "quay.io/example/os:latest",
    targetTransport: "registry",
    addonNames: [],
    sourceDateEpoch: 1_700_000_000,
    events: () => {},
  };
}

test("a device gets the same bytes as a file, is kept without --wipe and overwritten with it", { skip }, async () => {
  mkdirSync(join(scratch, "files"));
  const onFile = { ...(await optionsFor(join(scratch, "files", "disk.img"))), sizeBytes: 256 * MIB };
  const onDevice = await optionsFor(device ?? "");
  const file = await installToDisk(onFile);
  const first = await installToDisk(onDevice);
  assert.equal(first.sizeBytes, 256 * MIB);
  assert.equal(first.deploymentId, file.deploymentId);
  assert.equal(Buffer.compare(await readFile(file.path), await readFile(backing)), 0);
  await assert.rejects(installToDisk(onDevice), {
    code: "exists",
    message: `Cannot install to ${device}: there is a file system or table on it`,
    data: { step: "check the target", path: device ?? "", hint: "give --wipe to destroy what is on it" },
  });
  const second = await installToDisk({ ...onDevice, wipe: true });
  assert.equal(second.diskGuid, first.diskGuid);
});

test("a device's size cannot be chosen", { skip }, async () => {
  const options = { ...(await optionsFor(device ?? "")), wipe: true, sizeBytes: 128 * MIB };
  await assert.rejects(installToDisk(options), {
    code: "usage",
    message: `Cannot install to ${device}: the size of a device is given`,
  });
});
