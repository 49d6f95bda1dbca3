/**
 * A host whose root is encrypted for its TPM (docs/measured-boot.md), under Secure Boot: the first boot binds it, updates and a
 * rollback open it without a passphrase, another db and a changed header do not.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { addHostProgram } from "../../examples/debian/host-program.ts";
import { PARTITION_TYPE, readDiskPartitions } from "../../src/disk/index.ts";
import { silent } from "../../src/events/index.ts";
import { loadCertificates, type OwnedCertificates } from "../../src/keys/index.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";
import { fencedBlocks, readDocument } from "../docs/markdown.ts";
import { cacheDirectory } from "../guest/base.ts";
import { DiskCopy } from "./disk-copy.ts";
import { STICK, stickOf } from "./image-disk.ts";
import { RunningHost } from "./running-host.ts";
import { BOOT_TIMEOUT_MS, bootSealed, systemState } from "./sealed-example.ts";
import { shapeImage } from "./shapes/shape-image.ts";
import { variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const UPDATES = ["second", "third", "fourth"];
const ONLY_INITRAMFS = ["--pcr-phase", "enter-initrd"];
const ASKS = /does not open by itself: [^\n]*\n+sealroot: recovery key \(it is not shown\): $/;
/** Lines that show that a root was made. */
const STARTED = /the root is composefs:|Welcome to|login:/;

describe("a host on an encrypted disk", ONLY_IN_WHOLE_SUITE, () => {
  let directory: TemporaryDirectory;
  let host: RunningHost;
  let secureBoot: OwnedCertificates;
  let recoveryKey: string;
  let diskPath: string;
  let tpmStateDirectory: string;
  /** Deployments by name. */
  const ids = new Map<string, string>();

  before(async () => {
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "encrypted" });
    const at = (name: string) => join(directory.path, name);
    const image = await addHostProgram(
      await shapeImage("encrypted"),
      join(cacheDirectory(), "shape-encrypted-host"),
      silent,
    );
    diskPath = at("disk.img");
    await runDocument(image.directory, at);
    const keysDirectory = at("keys");
    secureBoot = loadCertificates(keysDirectory);
    recoveryKey = readFileSync(at("disk.key"), "utf8");
    tpmStateDirectory = at("tpm");
    const images = at("images");
    mkdirSync(images);
    const base = { imageDirectory: image.directory, keysDirectory };
    for (const name of UPDATES) {
      ids.set(name, (await variantImage(base, images, { name, sealWords: ONLY_INITRAMFS })).deploymentId);
    }
    await variantImage(base, images, { name: "wide" });
    host = await RunningHost.make({ diskPath, secureBoot }, { stick: await stickOf(images), tpmStateDirectory });
  });
  after(async () => {
    await host?.remove();
    directory?.remove();
  });

  /** docs/measured-boot.md, word by word, but for where things are; the machine is started by the tests below. */
  async function runDocument(imageDirectory: string, at: (name: string) => string): Promise<void> {
    const [block = "", ...others] = fencedBlocks(readDocument("measured-boot.md"), "sh encrypted");
    assert.deepEqual(others, []);
    const lines = block.trimEnd().split("\n");
    assert.equal(lines.pop(), "sealroot vm run disk.img --persist --tpm-state tpm --secure-boot-keys keys");
    for (const line of lines) {
      const words = line.split(" ").map((word) => {
        if (word === "oci:os") return `oci:${imageDirectory}`;
        if (word === "oci:os-sealed") return `oci:${at("os-sealed")}`;
        return ["keys", "disk.img", "disk.key"].includes(word) ? at(word) : word;
      });
      // `keys generate keys`: the first is the verb.
      if (words[1] === at("keys")) words[1] = "keys";
      const policy = words[1] === "keys" ? [] : ["--insecure-policy"];
      const { exitCode, out, err } = await run(...words.slice(1), ...policy, "--quiet");
      assert.equal(exitCode, 0, `${line}\n${err}`);
      const deployment = /^deployment +([0-9a-f]{128})$/m.exec(out)?.[1];
      if (deployment !== undefined) ids.set("first", deployment);
    }
  }

  const idOf = (name: string) => `composefs:${ids.get(name)}`;
  const BOUND = /^Root encrypted: LUKS2 on \/dev\/vda3, opened by: recovery key, TPM$/m;

  test("its first boot binds it to the TPM and takes the empty passphrase away", async () => {
    await host.start();
    assert.match(host.guest.consoleText, /sealroot: the root volume is bound to this machine's TPM/);
    assert.equal(await host.root(), idOf("first"));
    assert.match(await host.run("status", "--verbose", "--format", "humanreadable"), BOUND);
    const slots = await host.text("systemd-cryptenroll /dev/vda3");
    assert.deepEqual(slots.match(/recovery|tpm2|password|empty/g), ["recovery", "tpm2"]);
    // What systemd-cryptsetup was told is what the kernel does.
    assert.match(
      await host.text("cat /sys/class/block/dm-0/dm/name /sys/class/block/dm-0/queue/logical_block_size"),
      /^root\n4096$/,
    );
    assert.equal(await host.text("find /run/sealroot -name 'root-*'"), "");
    await host.text("echo kept >/etc/kept; echo kept >/var/lib/kept");
  });

  test("the next one opens it without a passphrase, and it is verified from inside", async () => {
    await host.restart();
    assert.doesNotMatch(host.guest.consoleText, /recovery key|stays open/);
    assert.equal(await host.root(), idOf("first"));
    assert.equal(await host.text("cat /etc/kept /var/lib/kept"), "kept\nkept");
    const verified = await host.try("verify", "--booted", "--quiet");
    assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
  });

  test("an update that would not keep the key in the initramfs is refused", async () => {
    const { exitCode, stderr } = await host.try(
      ...["switch", "--insecure-policy", "--quiet", "--transport", "oci", `${STICK}/wide-sealed:wide`],
    );
    assert.equal(exitCode, 1);
    assert.match(stderr, /a TPM would release its key to more than the initramfs/);
  });

  test("three updates and a rollback open it", async () => {
    const plan = await host.run(
      ...["switch", "--plan", "--download-only", "--insecure-policy", "--quiet"],
      ...["--transport", "oci", `${STICK}/second-sealed:second`],
    );
    assert.match(plan, /the signed policy for PCR 11 is by the same key \(unlocks \/dev\/vda3\)/);
    for (const name of UPDATES) {
      await host.run("switch", "--insecure-policy", "--quiet", "--transport", "oci", `${STICK}/${name}-sealed:${name}`);
      await host.restart();
      assert.equal(await host.root(), idOf(name));
      assert.doesNotMatch(host.guest.consoleText, /recovery key/);
    }
    await host.run("rollback");
    await host.restart();
    assert.equal(await host.root(), idOf("third"));
    assert.doesNotMatch(host.guest.consoleText, /recovery key/);
    assert.match(await host.run("status", "--verbose", "--format", "humanreadable"), BOUND);
  });

  test("another db does not open it: the recovery key is asked for, and opens it", async () => {
    await host.shutDown();
    const other = join(directory.path, "other");
    assert.equal((await run("keys", "generate", other)).exitCode, 0);
    const { certificates, ownerGuid } = secureBoot;
    const db = [...certificates.db, ...loadCertificates(other).certificates.db];
    const guest = await bootSealed(
      { secureBoot: { ownerGuid, certificates: { ...certificates, db } } },
      host.disk.path,
      {
        drives: [{ path: host.disk.path, mode: "persist" }],
        tpmStateDirectory,
      },
    );
    try {
      await guest.waitForConsole(ASKS, BOOT_TIMEOUT_MS);
      assert.doesNotMatch(guest.consoleText, STARTED);
      guest.type("not the key\r");
      await guest.waitForConsole(/no key slot of the root volume opens by that/, BOOT_TIMEOUT_MS);
      assert.doesNotMatch(guest.consoleText, STARTED);
      guest.type(`${recoveryKey.toUpperCase().replaceAll("-", " ")}\r`);
      await guest.waitForConsole(/bind the volume to this machine as it is now [^\n]*: $/, BOOT_TIMEOUT_MS);
      guest.type("\r");
      await guest.waitForReady(BOOT_TIMEOUT_MS);
      assert.equal(await systemState(guest), "running");
      assert.ok(!guest.consoleText.includes(recoveryKey.slice(0, 17)), "it is not shown");
      await guest.run("systemctl poweroff --no-block");
      await guest.waitForExit(BOOT_TIMEOUT_MS);
    } finally {
      await guest.stop();
    }
  });

  test("the db that it is bound to opens it as before", async () => {
    await host.start();
    assert.doesNotMatch(host.guest.consoleText, /recovery key/);
    await host.shutDown();
  });

  test("a header without encryption is refused, though the TPM would give its key", async () => {
    const disk = await DiskCopy.make(host.disk.path);
    try {
      await withoutCipher(disk.path);
      const guest = await bootSealed({ secureBoot }, disk.path, { agent: false, tpmStateDirectory });
      try {
        await guest.waitForConsole(/Cannot use the encrypted volume: its header has another cipher/, BOOT_TIMEOUT_MS);
        await guest.waitForConsole(/sealroot: Stopped: /, BOOT_TIMEOUT_MS);
        assert.doesNotMatch(guest.consoleText, STARTED);
      } finally {
        await guest.stop();
      }
    } finally {
      await disk.remove();
    }
  });
});

/** Rewrites both headers so that cryptsetup maps the data as they are (LUKS2 On-Disk Format Specification 1.1, 2.1). */
async function withoutCipher(diskPath: string): Promise<void> {
  const { partitions } = await readDiskPartitions(diskPath);
  const start = partitions.find(({ typeGuid }) => typeGuid === PARTITION_TYPE.rootX8664)?.startBytes ?? 0;
  const file = openSync(diskPath, "r+");
  for (const offset of [0, 0x4000]) {
    const header = Buffer.alloc(0x4000);
    readSync(file, header, 0, header.length, start + offset);
    const text = header.toString("latin1", 4096).split("\0", 1)[0] ?? "";
    const metadata = JSON.parse(text);
    metadata.segments["0"].encryption = "cipher_null-ecb";
    header.fill(0, 4096);
    header.write(JSON.stringify(metadata), 4096, "latin1");
    header.fill(0, 448, 512);
    createHash("sha256").update(header).digest().copy(header, 448);
    writeSync(file, header, 0, header.length, start + offset);
  }
  closeSync(file);
}
