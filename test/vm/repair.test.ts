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
import { faultsOf } from "../docs/json-schema.ts";
import type { DiskCopy } from "./disk-copy.ts";
import { onStick, STICK, stickOf } from "./image-disk.ts";
import { RunningHost } from "./running-host.ts";
import { objectPath, type SealedExample, sealedExample } from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/fsck.json"), "utf8"));
const DAMAGED_OBJECTS = 100;
/** Tables of Unicode, which perl reads only when it is asked for them. */
const IDLE_FILES = "usr/lib/x86_64-linux-gnu/perl-base/unicore/lib";

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
  let host: RunningHost;
  let treeOfFirst: string;
  let repository: string;
  let boot: string;

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
      // With one of its objects missing a deployment does not boot, so the damaged ones are the other's alone.
      remove: [IDLE_FILES],
    });
    cpSync(sealedReference.split(":")[1] ?? "", join(images, "first"), { recursive: true });
    host = await RunningHost.make(example, { stick: await stickOf(images) });
    await host.start();
    treeOfFirst = await host.text(TREE);
    await host.run("switch", "--insecure-policy", "--quiet", "--transport", "oci", `${STICK}/second-sealed:second`);
    await host.restart();
    assert.equal(await host.root(), `composefs:${second.deploymentId}`);
    repository = await host.text(REPOSITORY);
    boot = await host.text(ESP);
    await host.shutDown();
    await damage(host.disk, example);
    await host.start();
  });
  after(async () => {
    await host?.remove();
    directory?.remove();
  });

  test("is checked: every damage is found, and whom it concerns", async () => {
    const { exitCode, stdout, stderr } = await host.try("fsck", "--json", "--quiet");
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
    const sources = ["--source", onStick("second"), "--source", `oci:${STICK}/first`];
    const document = await host.json("fsck", "--repair", "--insecure-policy", ...sources);
    assert.deepEqual([document.ok, document.faults, document.repair.failures], [true, [], []]);
    assert.equal(document.repair.rebootNeeded, true);
    assert.equal(await host.text(REPOSITORY), repository);
    assert.equal(await host.text(ESP), boot);
    assert.equal(await host.text("ls -A /sysroot | grep sealroot; true"), "");
    await host.run("repo", "fsck", "--repo", "/sysroot/composefs", "--quiet");
  });

  test("both deployments boot, and the tree of the damaged one is what it was", async () => {
    await host.run("rollback");
    await host.restart();
    assert.equal(await host.root(), `composefs:${example.deploymentId}`);
    assert.equal(await host.text(TREE), treeOfFirst);
    const { exitCode, stdout } = await host.try("fsck", "--quiet");
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

/** Where the objects of {@link IDLE_FILES} are. */
async function idleObjects({ imageDirectory }: SealedExample): Promise<string[]> {
  using unpacked = temporaryDirectory({ parent: dirname(imageDirectory), purpose: "objects" });
  await runTool("sh", [
    "-c",
    `cd "$1" && for blob in blobs/sha256/*; do tar -xzf "$blob" -C "$2" --wildcards "./${IDLE_FILES}/*" 2>/dev/null; done; true`,
    "sh",
    imageDirectory,
    unpacked.path,
  ]);
  const { stdout } = await runTool("find", [unpacked.path, "-type", "f", "-size", "+0"]);
  const files = stdout.toString().trim().split("\n").sort();
  const ids = files.map((path) => readFileSync(path)).filter((bytes) => bytes.length > 64);
  return [...new Set(ids.map((bytes) => objectPath(verityDigest(bytes, "sha512"))))].slice(0, DAMAGED_OBJECTS);
}
