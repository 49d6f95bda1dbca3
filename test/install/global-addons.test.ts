/** `install to-disk` with add-ons: beside the UKI, and for every UKI of the disk. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readDiskPartitions, readEspFile } from "../../src/disk/index.ts";
import { silent } from "../../src/events/index.ts";
import { installToDisk } from "../../src/install/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { addon, globalPath, type ImageAddons, inImage, scopedPath } from "../host/addon-files.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { baseFiles, sealImage } from "./sealed-image.ts";

const MIB = 1024 * 1024;
const DEBUG = await addon("debug");
const SITE = await addon("site=north");

async function install(directory: string, addons: ImageAddons) {
  mkdirSync(directory);
  const { reference } = await sealImage(directory, baseFiles(), { beside: inImage(addons) });
  return installToDisk({
    target: join(directory, "disk.img"),
    source: reference,
    sizeBytes: 256 * MIB,
    espSizeBytes: 64 * MIB,
    wipe: false,
    targetName: "quay.io/example/os:latest",
    targetTransport: "registry",
    addonNames: ["debug"],
    globalAddonNames: ["site"],
    policy: "accept-anything",
    events: silent,
  });
}

test("add-ons that are named are on the ESP where bootc looks for them", async () => {
  using scratch = temporaryDirectory();
  const { path, deploymentId } = await install(join(scratch.path, "a"), {
    scoped: { debug: DEBUG },
    global: { site: SITE },
  });
  const { partitions } = await readDiskPartitions(path);
  const start = partitions.find(({ name }) => name === "EFI-SYSTEM")?.startBytes ?? 0;
  const read = async (file: string) => Buffer.from(await readEspFile({ directory: scratch.path, path }, start, file));
  assert.deepEqual(await read(scopedPath(deploymentId, "debug")), Buffer.from(DEBUG));
  assert.deepEqual(await read(globalPath("site")), Buffer.from(SITE));
});

test("a global add-on is found among the global ones, and checked as every program", async () => {
  using scratch = temporaryDirectory();
  await assert.rejects(install(join(scratch.path, "a"), { scoped: { debug: DEBUG, site: SITE } }), {
    code: "not-found",
    message: "Cannot install the global add-on site: the image has no site.addon.efi in /boot/loader/addons",
  });
  const { signer } = await temporaryKeys("other");
  const foreign = { scoped: { debug: DEBUG }, global: { site: await addon("site=north", signer) } };
  await assert.rejects(install(join(scratch.path, "b"), foreign), {
    code: "untrusted",
    message: /^Cannot use the add-on site: firmware with the keys in auto\/ refuses it, as /,
  });
  for (const name of ["a", "b"]) assert.ok(!existsSync(join(scratch.path, name, "disk.img")));
});
