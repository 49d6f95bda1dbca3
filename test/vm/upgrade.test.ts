/** A sealed host that switches to another image, keeps /etc and /var, and goes back, under Secure Boot. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { DiskCopy } from "./disk-copy.ts";
import { mountStick, onStick, STICK, stickOf } from "./image-disk.ts";
import {
  BOOT_TIMEOUT_MS,
  bootSealed,
  guestText,
  type SealedExample,
  sealedExample,
  systemState,
} from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";

const FOLLOWED = "docker://localhost/debian-sealed:latest";
const schemaOf = (verb: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../docs/schema/${verb}.json`), "utf8"));

/** Staging writes a few hundred MB in emulation. */
const STAGE_TIMEOUT_MS = 1_200_000;

describe("an update of a sealed host", () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let second: VariantImage;
  let disk: DiskCopy;
  let stick: string;
  let guest: VirtualMachine;

  const start = async () => {
    guest = await bootSealed(example, disk.path, {
      drives: [
        { path: disk.path, mode: "persist" },
        { path: stick, mode: "read-only" },
      ],
    });
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
    await mountStick(guest);
  };
  const shutDown = async () => {
    await guest.run("systemctl poweroff --no-block");
    await guest.waitForExit(BOOT_TIMEOUT_MS);
    await guest.stop();
  };
  const status = async () => JSON.parse(await guestText(guest, "sealroot status --json")).status;
  const idOf = (deployment: { composefs: { verity: string } } | null) => deployment?.composefs.verity;
  const run = async (...words: string[]) => {
    const { exitCode, stdout, stderr } = await guest.run(`sealroot ${words.join(" ")}`, STAGE_TIMEOUT_MS);
    assert.equal(exitCode, 0, `${words.join(" ")}\n${stdout}\n${stderr}`);
    return stdout.toString();
  };

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
    stick = await stickOf(images);
    disk = await DiskCopy.make(example.diskPath);
    await start();
  });
  after(async () => {
    await guest?.stop();
    await disk?.remove();
    directory?.remove();
  });

  test("--check tells of it and writes nothing", async () => {
    // The automount on /boot comes and goes meanwhile; nothing may depend on it.
    const look = "grep -v ' /boot ' /proc/self/mountinfo | sort; find /run/composefs 2>&1 || true";
    const before = await guestText(guest, `touch /run/before; ${look}`);
    const document = JSON.parse(
      await run("upgrade", "--check", "--insecure-policy", "--source-imgref", onStick("second"), "--json", "--quiet"),
    );
    assert.equal(await guestText(guest, look), before);
    const places = "/sysroot/composefs /sysroot/state/deploy /boot/EFI /boot/loader";
    assert.equal(await guestText(guest, `find ${places} -newercm /run/before -not -path '*/etc/*'`), "");
    assert.deepEqual(faultsOf(schemaOf("upgrade"), document), []);
    assert.deepEqual([document.updateAvailable, document.image], [true, FOLLOWED]);
    assert.equal(document.layers.added.count, 2);
  });

  test("is staged, with what boots as it was and no mount left behind", async () => {
    // The automount on /boot comes and goes meanwhile; nothing may depend on it.
    const mounts = "grep -v ' /boot ' /proc/self/mountinfo | sort";
    const before = await guestText(guest, mounts);
    const document = JSON.parse(
      await run(
        "switch",
        "--insecure-policy",
        "--transport",
        "oci",
        `${STICK}/second-sealed:second`,
        "--json",
        "--quiet",
      ),
    );
    assert.deepEqual(faultsOf(schemaOf("switch"), document), []);
    assert.deepEqual([document.result, document.deploymentId], ["staged", second.deploymentId]);
    assert.equal(await guestText(guest, mounts), before);
    assert.equal((await guest.run("touch /sysroot/x")).exitCode, 1);
    const { booted, staged, rollback, rollbackQueued } = await status();
    assert.deepEqual(
      [idOf(booted), idOf(staged), staged.downloadOnly, rollback, rollbackQueued],
      [example.deploymentId, second.deploymentId, false, null, false],
    );
    assert.equal((await guest.run("sealroot status --exit-code")).exitCode, 4);
  });

  test("is booted after a shutdown, with /etc merged and /var as it was", async () => {
    await guestText(guest, "echo mine >/etc/mine; echo data >/var/lib/data");
    await shutDown();
    await start();
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${second.deploymentId}`);
    assert.equal(
      await guestText(guest, "cat /usr/share/second /etc/second.conf /etc/mine /var/lib/data"),
      "2\nof the image\nmine\ndata",
    );
    const { booted, staged, rollback, rollbackQueued } = await status();
    assert.deepEqual(
      [idOf(booted), staged, idOf(rollback), rollbackQueued],
      [second.deploymentId, null, example.deploymentId, false],
    );
    assert.equal(booted.image.version, "2");
    assert.deepEqual(booted.image.image, { image: `${STICK}/second-sealed:second`, transport: "oci" });
    assert.match(await guestText(guest, "findmnt -no OPTIONS /"), /^ro,.*verity=require/);
  });

  test("unchanged, an upgrade is one line", async () => {
    assert.match(
      await run("upgrade", "--insecure-policy", "--quiet"),
      /^No changes in: oci:\/run\/stick\/second-sealed:second\n$/,
    );
  });

  test("is gone back from, with the old /etc", async () => {
    await guestText(guest, "echo later >/etc/later");
    assert.equal(await run("rollback"), "Next boot: rollback deployment\n");
    await shutDown();
    await start();
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${example.deploymentId}`);
    // What was made before the update was made in this /etc.
    assert.equal(
      await guestText(guest, "ls /etc/mine /etc/later 2>&1 || true"),
      "ls: cannot access '/etc/later': No such file or directory\n/etc/mine",
    );
    const { booted, rollback } = await status();
    assert.deepEqual([idOf(booted), idOf(rollback)], [example.deploymentId, second.deploymentId]);
  });
});
