/** Add-ons of a sealed host under Secure Boot: what systemd-stub loads is what the verbs say, through an update and back. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { addLayer } from "../../examples/debian/add-layer.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import type { Signer } from "../../src/cms/index.ts";
import { loadSigner } from "../../src/keys/index.ts";
import { addSections, signPe } from "../../src/pe/index.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { STICK, stickOf } from "./image-disk.ts";
import { RunningHost } from "./running-host.ts";
import { imageFile, type SealedExample, sealedExample } from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const STUB = "usr/lib/systemd/boot/efi/addonx64.efi.stub";
const EPOCH_SECONDS = 1_793_664_000n;
const EFI = "boot/EFI/Linux";
const GLOBAL = "boot/loader/addons";

describe("a sealed host with add-ons", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let second: VariantImage;
  let third: VariantImage;
  let host: RunningHost;

  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "addons" });
    const images = join(directory.path, "images");
    mkdirSync(images);
    const stub = await imageFile(example, STUB);
    const own = loadSigner(example.keysDirectory);
    const { signer: foreign } = await temporaryKeys();
    const addon = (commandLine: string, signer: Signer = own) =>
      signPe(addSections(stub, [{ name: ".cmdline", content: Buffer.from(`${commandLine}\0`) }]), signer);
    /** The add-ons come in a layer over the sealed image, as from a machine that has nothing else of it. */
    const withAddons = async (name: string, addons: Readonly<Record<string, Uint8Array>>) => {
      const image = await variantImage(example, images, { name });
      await addLayer(join(images, `${name}-sealed`), writeTar(members(addons)), {
        tag: name,
        createdBy: "add-ons",
        compression: { compression: "gzip" },
      });
      return image;
    };
    second = await withAddons("second", {
      [`${EFI}/debug.addon.efi`]: await addon("debug.of=two"),
      [`${EFI}/foreign.addon.efi`]: await addon("foreign", foreign),
      [`${GLOBAL}/site.addon.efi`]: await addon("site=north"),
    });
    third = await withAddons("third", { [`${EFI}/debug.addon.efi`]: await addon("debug.of=three") });
    host = await RunningHost.make(example, { stick: await stickOf(images) });
    await host.start();
  });
  after(async () => {
    await host?.remove();
    directory?.remove();
  });

  const change = (name: string, ...words: readonly string[]) => [
    ...["switch", "--insecure-policy", "--quiet", ...words],
    ...["--transport", "oci", `${STICK}/${name}-sealed:${name}`],
  ];
  /** The add-ons' arguments that the kernel was started with. */
  const loaded = async () =>
    (await host.text("cat /proc/cmdline"))
      .split(" ")
      .filter((word) => /^(debug\.of|site|foreign)/.test(word))
      .sort();

  test("refuses one that the firmware would not load, before anything changes", async () => {
    const { exitCode, stderr } = await host.try(...change("second", "--uki-addon", "foreign"));
    assert.equal(exitCode, 1);
    assert.match(
      stderr,
      /^sealroot: Cannot use the add-on foreign: firmware with the keys of this machine refuses it, as its certificate "CN=test db"/,
    );
    assert.equal((await host.json("status")).status.staged, null);
  });

  test("starts the update with the add-ons that were asked for", async () => {
    await host.run(...change("second", "--uki-addon", "debug", "--global-uki-addon", "site"));
    await host.restart();
    assert.equal(await host.root(), `composefs:${second.deploymentId}`);
    assert.deepEqual(await loaded(), ["debug.of=two", "site=north"]);
    assert.equal(
      await host.run("uki-addon", "list"),
      `site (global)\ndebug (scoped (deployment ${second.deploymentId}))\n`,
    );
  });

  test("gives the next update the add-on of the new image", async () => {
    await host.run(...change("third"));
    await host.restart();
    assert.equal(await host.root(), `composefs:${third.deploymentId}`);
    assert.deepEqual(await loaded(), ["debug.of=three", "site=north"]);
  });

  test("goes back to the old deployment's own, without what was removed for all", async () => {
    assert.equal(await host.run("uki-addon", "remove", "site"), REMOVED);
    await host.run("rollback");
    await host.restart();
    assert.equal(await host.root(), `composefs:${second.deploymentId}`);
    assert.deepEqual(await loaded(), ["debug.of=two"]);
  });
});

const REMOVED = "Removed Global Addon site\nRemoved empty directory loader/addons\n";

function members(files: Readonly<Record<string, Uint8Array>>): TarMember[] {
  const common = { uid: 0, gid: 0, mtimeSeconds: EPOCH_SECONDS };
  const folders = [...new Set(Object.keys(files).flatMap(parentsOf))];
  return [
    ...folders.map((path) => ({
      header: { ...common, kind: "directory" as const, path: byteStringOfText(path), mode: 0o755 },
    })),
    ...Object.entries(files).map(([path, body]) => ({
      header: { ...common, kind: "file" as const, path: byteStringOfText(path), mode: 0o644, sizeBytes: body.length },
      body,
    })),
  ];
}

/** `/boot` itself is the image's. */
function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.slice(1).map((_, index) => parts.slice(0, index + 2).join("/"));
}
