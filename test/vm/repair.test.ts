/**
 * A sealed host whose disk was damaged while it was off: objects of both deployments, the EROFS image and the UKI of the
 * one that cannot be booted any more. Repaired from the other one, under Secure Boot; then both are as they were.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeSealedDisk } from "../../examples/debian/sealed-disk.ts";
import { silent } from "../../src/events/index.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { DiskCopy } from "./disk-copy.ts";
import { mountStick, onStick, STICK, stickOf } from "./image-disk.ts";
import {
  BOOT_TIMEOUT_MS,
  bootSealed,
  guestText,
  objectPath,
  type SealedExample,
  sealedExample,
  systemState,
} from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/fsck.json"), "utf8"));
/** Staging and checks read and write a few hundred MB in emulation. */
const WORK_TIMEOUT_MS = 1_800_000;
const DAMAGED_OBJECTS = 100;

/** All that the running system shows of its image, as one digest. */
const TREE = `find /usr -xdev \\( -type f -o -type l \\) -printf '%p %m %U %G %s %l\\n' | sort | sha256sum;
  find /usr -xdev -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum`;
/** The repository and the boot files, with what they are called, how long they are and where links lead. */
const REPOSITORY =
  "cd /sysroot/composefs && find . -printf '%p %y %m %s %l\\n' | sed 's/^\\([^ ]* d [0-7]*\\) .*/\\1/' | sort | sha256sum";
const ESP = `mkdir -p /run/esp && mount /dev/vda2 /run/esp && cd /run/esp &&
  find EFI loader/entries -type f | sort | xargs -d '\\n' sha256sum | sed 's/[+][0-9-]*[.]conf/.conf/'; cd /; umount /run/esp`;

describe("a host that was damaged while it was off", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let second: VariantImage;
  let disk: DiskCopy;
  let stick: string;
  let guest: VirtualMachine;
  let treeOfFirst: string;
  let repository: string;
  let boot: string;

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
  const long = async (script: string) => {
    const { exitCode, stdout, stderr } = await guest.run(script, WORK_TIMEOUT_MS);
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  };
  const text = async (script: string) => {
    const { exitCode, stdout, stderr } = await long(script);
    assert.equal(exitCode, 0, `${script}\n${stdout}\n${stderr}`);
    return stdout.trim();
  };

  before(async () => {
    example = await sealedExample();
    const { sealedReference } = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "repair" });
    const images = join(directory.path, "images");
    mkdirSync(images);
    second = await variantImage(example, images, {
      name: "second",
      version: "2",
      files: { "usr/share/second": "2\n" },
    });
    cpSync(sealedReference.split(":")[1] ?? "", join(images, "first"), { recursive: true });
    stick = await stickOf(images);
    disk = await DiskCopy.make(example.diskPath);
    await start();
    treeOfFirst = await text(TREE);
    await text(`sealroot switch --insecure-policy --quiet --transport oci ${STICK}/second-sealed:second`);
    await shutDown();
    await start();
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${second.deploymentId}`);
    repository = await text(REPOSITORY);
    boot = await text(ESP);
    await shutDown();
    await damage(disk, example);
    await start();
  });
  after(async () => {
    await guest?.stop();
    await disk?.remove();
    directory?.remove();
  });

  test("is checked: every damage is found, and whom it concerns", async () => {
    const { exitCode, stdout, stderr } = await long("sealroot fsck --json --quiet");
    assert.equal(exitCode, 1, stderr);
    const { faults } = JSON.parse(stdout);
    assert.deepEqual(faultsOf(SCHEMA, JSON.parse(stdout)), []);
    const ofKind = (kind: string) => faults.filter((fault: { kind: string }) => fault.kind === kind);
    const image = `composefs${objectPath(example.deploymentId).slice("/composefs".length)}`;
    const damaged = ofKind("object-digest-mismatch");
    assert.equal(damaged.length + ofKind("object-verity-missing").length, DAMAGED_OBJECTS - REMOVED + 1);
    const found = damaged.find(({ subject }: { subject: string }) => subject === image);
    assert.deepEqual(found?.deployments, [example.deploymentId]);
    const missing = new Set(ofKind("missing-object-ref").map(({ detail }: { detail: string }) => detail));
    assert.equal(missing.size, REMOVED);
    const [uki] = ofKind("boot-file-damaged");
    assert.deepEqual([uki?.subject, uki?.deployments], [`ESP:/${example.ukiPath}`, [example.deploymentId]]);
    for (const fault of faults) assert.equal(fault.repairable, true, JSON.stringify(fault));
  });

  test("is repaired from a stick: everything is as it was, with fs-verity, and nothing else changed", async () => {
    const sources = `--source ${onStick("second")} --source oci:${STICK}/first`;
    const { exitCode, stdout, stderr } = await long(
      `sealroot fsck --repair --insecure-policy --json --quiet ${sources}`,
    );
    assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    const document = JSON.parse(stdout);
    assert.deepEqual(faultsOf(SCHEMA, document), []);
    assert.deepEqual([document.ok, document.faults, document.repair.failures], [true, [], []]);
    assert.equal(document.repair.rebootNeeded, true);
    assert.equal(await text(REPOSITORY), repository);
    assert.equal(await text(ESP), boot);
    assert.equal(await text("ls -A /sysroot | grep sealroot; true"), "");
    const { exitCode: checked, stdout: report } = await long("sealroot repo fsck --repo /sysroot/composefs --quiet");
    assert.equal(checked, 0, report);
  });

  test("both deployments boot, and the tree of the damaged one is what it was", async () => {
    await text("sealroot rollback");
    await shutDown();
    await start();
    assert.equal(await guestText(guest, "findmnt -no SOURCE /"), `composefs:${example.deploymentId}`);
    assert.equal(await text(TREE), treeOfFirst);
    const { exitCode, stdout } = await long("sealroot fsck --quiet");
    assert.equal(exitCode, 0, stdout);
  });
});

/** Of the damaged objects, how many are gone altogether, and how many only lack their fs-verity. */
const REMOVED = 20;
const UNPROTECTED = 20;

/** Objects that no boot needs; the image and UKI of the first deployment. */
async function damage(disk: DiskCopy, example: SealedExample): Promise<void> {
  const objects = await idleObjects(example);
  assert.equal(objects.length, DAMAGED_OBJECTS);
  for (const [index, object] of objects.entries()) {
    if (index < REMOVED) await disk.unlink(object);
    else if (index < REMOVED + UNPROTECTED) await disk.clearVerity(object);
    else await disk.flipByte(object, 0);
  }
  await disk.flipByte(objectPath(example.deploymentId), 5000);
  const uki = await disk.readEsp(example.ukiPath);
  uki[100_000] = (uki[100_000] ?? 0) ^ 1;
  await disk.writeEsp(example.ukiPath, uki);
}

/** Where the objects of tables of Unicode are, which perl reads only when it is asked for them. */
async function idleObjects({ imageDirectory }: SealedExample): Promise<string[]> {
  using unpacked = temporaryDirectory({ parent: dirname(imageDirectory), purpose: "objects" });
  await runTool("sh", [
    "-c",
    'cd "$1" && for blob in blobs/sha256/*; do tar -xzf "$blob" -C "$2" --wildcards "./usr/lib/x86_64-linux-gnu/perl-base/unicore/lib/*" 2>/dev/null; done; true',
    "sh",
    imageDirectory,
    unpacked.path,
  ]);
  const { stdout } = await runTool("find", [unpacked.path, "-type", "f", "-size", "+0"]);
  const files = stdout.toString().trim().split("\n").sort();
  const ids = files.map((path) => readFileSync(path)).filter((bytes) => bytes.length > 64);
  return [...new Set(ids.map((bytes) => objectPath(verityDigest(bytes, "sha512"))))].slice(0, DAMAGED_OBJECTS);
}
