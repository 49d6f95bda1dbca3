/** A sealed host that switches to another image, keeps /etc and /var, and goes back, under Secure Boot. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { onStick, STICK, stickOf } from "./image-disk.ts";
import { RunningHost } from "./running-host.ts";
import { type SealedExample, sealedExample } from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";

const FOLLOWED = "docker://localhost/debian-sealed:latest";
describe("an update of a sealed host", () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let second: VariantImage;
  let host: RunningHost;

  const status = async () => (await host.json("status")).status;
  const idOf = (deployment: { composefs: { verity: string } } | null) => deployment?.composefs.verity;

  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "upgrade" });
    const images = join(directory.path, "images");
    mkdirSync(images);
    second = await variantImage(example, images, {
      name: "second",
      version: "2",
      files: { "usr/share/second": "2\n", "etc/second.conf": "of the image\n" },
    });
    host = await RunningHost.make(example, { stick: await stickOf(images) });
    await host.start();
  });
  after(async () => {
    await host?.remove();
    directory?.remove();
  });

  test("--check tells of it and writes nothing", async () => {
    // The automount on /boot comes and goes meanwhile; nothing may depend on it.
    const look = "grep -v ' /boot ' /proc/self/mountinfo | sort; find /run/composefs 2>&1 || true";
    const before = await host.text(`touch /run/before; ${look}`);
    const document = await host.json("upgrade", "--check", "--insecure-policy", "--source-imgref", onStick("second"));
    assert.equal(await host.text(look), before);
    const places = "/sysroot/composefs /sysroot/state/deploy /boot/EFI /boot/loader";
    assert.equal(await host.text(`find ${places} -newercm /run/before -not -path '*/etc/*'`), "");
    assert.deepEqual([document.updateAvailable, document.image], [true, FOLLOWED]);
    assert.equal(document.layers.added.count, 2);
  });

  test("is staged, with what boots as it was and no mount left behind", async () => {
    // The automount on /boot comes and goes meanwhile; nothing may depend on it.
    const mounts = "grep -v ' /boot ' /proc/self/mountinfo | sort";
    const before = await host.text(mounts);
    const reference = `${STICK}/second-sealed:second`;
    const document = await host.json("switch", "--insecure-policy", "--transport", "oci", reference);
    assert.deepEqual([document.result, document.deploymentId], ["staged", second.deploymentId]);
    assert.equal(await host.text(mounts), before);
    assert.equal((await host.guest.run("touch /sysroot/x")).exitCode, 1);
    const { booted, staged, rollback, rollbackQueued } = await status();
    assert.deepEqual(
      [idOf(booted), idOf(staged), staged.downloadOnly, rollback, rollbackQueued],
      [example.deploymentId, second.deploymentId, false, null, false],
    );
    assert.equal((await host.try("status", "--exit-code")).exitCode, 4);
  });

  test("is booted after a shutdown, with /etc merged and /var as it was", async () => {
    await host.text("echo mine >/etc/mine; echo data >/var/lib/data");
    await host.restart();
    assert.equal(await host.root(), `composefs:${second.deploymentId}`);
    assert.equal(
      await host.text("cat /usr/share/second /etc/second.conf /etc/mine /var/lib/data"),
      "2\nof the image\nmine\ndata",
    );
    const { booted, staged, rollback, rollbackQueued } = await status();
    assert.deepEqual(
      [idOf(booted), staged, idOf(rollback), rollbackQueued],
      [second.deploymentId, null, example.deploymentId, false],
    );
    assert.equal(booted.image.version, "2");
    assert.deepEqual(booted.image.image, { image: `${STICK}/second-sealed:second`, transport: "oci" });
    assert.match(await host.text("findmnt -no OPTIONS /"), /^ro,.*verity=require/);
  });

  test("unchanged, an upgrade is one line", async () => {
    assert.match(
      await host.run("upgrade", "--insecure-policy", "--quiet"),
      /^No changes in: oci:\/run\/stick\/second-sealed:second\n$/,
    );
  });

  test("is gone back from, with the old /etc", async () => {
    await host.text("echo later >/etc/later");
    assert.equal(await host.run("rollback"), "Next boot: rollback deployment\n");
    await host.restart();
    assert.equal(await host.root(), `composefs:${example.deploymentId}`);
    // What was made before the update was made in this /etc.
    assert.equal(
      await host.text("ls /etc/mine /etc/later 2>&1 || true"),
      "ls: cannot access '/etc/later': No such file or directory\n/etc/mine",
    );
    const { booted, rollback } = await status();
    assert.deepEqual([idOf(booted), idOf(rollback)], [example.deploymentId, second.deploymentId]);
  });
});
