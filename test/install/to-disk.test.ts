import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { checkWithE2fsck } from "../../src/disk/ext4/make.ts";
import { readDiskPartitions, readEspFile } from "../../src/disk/index.ts";
import type { WorkEvent } from "../../src/events/index.ts";
import { type InstallToDiskOptions, installToDisk } from "../../src/install/index.ts";
import { runTool } from "../../src/platform/index.ts";
import {
  baseFiles,
  type ImageFile,
  OS_RELEASE,
  sealImage,
  TEST_KEYS,
  type1Files,
  ukiImage,
  ukiLayer,
  writeImage,
} from "./sealed-image.ts";

const MIB = 1024 * 1024;
const DISK_BYTES = 256 * MIB;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-install-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function directory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

function optionsFor(name: string, source: string, changes: Partial<InstallToDiskOptions> = {}): InstallToDiskOptions {
  return {
    target: join(directory(name), "disk.img"),
    source,
    sizeBytes: DISK_BYTES,
    espSizeBytes: 64 * MIB,
    wipe: false,
    targetName: "quay.io/example/os:latest",
    targetTransport: "registry",
    addonNames: [],
    sourceDateEpoch: 1_700_000_000,
    events: () => {},
    ...changes,
  };
}

/** Nothing is left in the target's directory but the given names. */
function assertOnly(target: string, names: readonly string[]): void {
  assert.deepEqual(readdirSync(join(target, "..")), names);
}

const sealed = await sealImage(directory("image"), baseFiles());
const events: WorkEvent[] = [];
const firstOptions = optionsFor("first", sealed.reference, { events: (event) => events.push(event) });
const disk = await installToDisk(firstOptions);
const partitions = (await readDiskPartitions(disk.path)).partitions;
const espStartBytes = partitions.find(({ name }) => name === "EFI-SYSTEM")?.startBytes ?? 0;
const rootStartBytes = partitions.find(({ name }) => name === "root")?.startBytes ?? 0;

async function debugfs(command: string): Promise<string> {
  const result = await runTool("debugfs", ["-R", command, `${disk.path}?offset=${rootStartBytes}`]);
  return result.stdout.toString("latin1");
}

/** Names in a directory of the root file system, with type and mode in octal. */
async function listing(path: string): Promise<Map<string, string>> {
  const lines = (await debugfs(`ls -p ${path}`)).split("\n").filter((line) => line.startsWith("/"));
  return new Map(
    lines.map((line) => {
      const [, , mode, uid, gid, name] = line.split("/");
      return [name ?? "", `${mode} ${uid}:${gid}`] as const;
    }),
  );
}

async function espFile(path: string): Promise<Buffer> {
  return Buffer.from(await readEspFile({ directory: scratch, path: disk.path }, espStartBytes, path));
}

async function espText(path: string): Promise<string> {
  return (await espFile(path)).toString("utf8");
}

test("a sealed image becomes a sparse disk of the wanted size, named by its deployment", () => {
  assert.equal(disk.deploymentId, sealed.deploymentId);
  assert.equal(statSync(disk.path).size, DISK_BYTES);
  assert.ok(disk.allocatedBytes < 32 * MIB, String(disk.allocatedBytes));
  assertOnly(disk.path, ["disk.img"]);
});

test("the steps are reported by name, and nothing is warned of", () => {
  const steps = events.flatMap((event) => (event.type === "step-finished" ? [event.step] : []));
  for (const step of ["check the target", "check the boot chain", "write the root file system", "finish the disk"]) {
    assert.ok(steps.includes(step), step);
  }
  assert.deepEqual(
    events.filter((event) => event.type === "message" && event.level === "warning"),
    [],
  );
});

test("the root has bootc's layout", async () => {
  const root = await listing("/");
  assert.deepEqual(
    ["boot", "composefs", "ostree", "state"].map((name) => root.get(name)),
    ["040755 0:0", "040700 0:0", "040755 0:0", "040755 0:0"],
  );
  assert.ok((await listing("/boot")).has("efi"));
  assert.deepEqual([...(await listing("/composefs")).keys()].sort(), [
    ".",
    "..",
    "bootc",
    "images",
    "meta.json",
    "objects",
    "streams",
  ]);
  assert.match(await debugfs("stat /ostree/bootc"), /Fast link dest: "\.\.\/composefs\/bootc"/);
  assert.ok((await listing("/composefs/images")).has(sealed.deploymentId));
  const tag = `localhost%2Fbootc-${disk.manifestDigest}`;
  assert.ok((await listing("/composefs/streams/refs/oci")).has(tag), tag);
});

test("image, objects and meta.json are verity files", async () => {
  const id = sealed.deploymentId;
  for (const path of [`/composefs/objects/${id.slice(0, 2)}/${id.slice(2)}`, "/composefs/meta.json"]) {
    assert.match(await debugfs(`stat ${path}`), /Flags: 0x180000/, path);
  }
  assert.match(await debugfs("stat /composefs/meta.json"), /Size: 219\b/);
});

test("the state has the image's /etc and /var with owners, modes, times and attributes", async () => {
  const state = `/state/deploy/${sealed.deploymentId}`;
  const etc = await listing(`${state}/etc`);
  assert.equal(etc.get("."), "040751 0:0");
  assert.equal(etc.get("shadow"), "100640 0:42");
  assert.equal(etc.get('odd "name" \xc3\xbc'), "104755 1000:1000");
  assert.ok(!etc.has(".updated"));
  assert.equal((await debugfs(`cat ${state}/etc/hostname`)).trim(), "testos");
  assert.match(await debugfs(`stat ${state}/etc/shadow`), /mtime: 0x5f5e1000:00000000/);
  assert.match(await debugfs(`stat ${state}/etc/shadow`), /ctime: 0x6553f100:00000000/);
  assert.match(await debugfs(`stat ${state}/var`), /Fast link dest: "\.\.\/\.\.\/os\/default\/var"/);
  assert.equal((await listing("/state/os/default/var")).get("log"), "042755 0:4");
  assert.equal((await debugfs("cat /state/os/default/var/log/first")).trim(), "f".repeat(70));
  assert.match(
    await debugfs("stat /state/os/default/var/spool"),
    /security\.capability \(20\) = 01 00 00 02 00 20 00 00/,
  );
});

test("the origin file names image, boot digest and manifest", async () => {
  const text = await debugfs(`cat /state/deploy/${sealed.deploymentId}/${sealed.deploymentId}.origin`);
  assert.equal(
    text,
    `[origin]
container-image-reference = ostree-unverified-image:docker://quay.io/example/os:latest

[boot]
boot_type = uki
digest = ${createHash("sha256").update("kernelinitramfsdevicetree").digest("hex")}

[image]
manifest_digest = ${disk.manifestDigest}
`,
  );
});

test("the ESP starts the UKI through an entry the loader understands", async () => {
  assert.equal(
    await espText("loader/entries/bootc_testos-1.0-1.conf"),
    `title Test OS 1.0
version 1.0
efi /EFI/Linux/bootc/bootc_composefs-${sealed.deploymentId}.efi
sort-key bootc-testos-0
`,
  );
  assert.deepEqual(await espFile("loader/keys/auto/PK.auth"), Buffer.from(TEST_KEYS.enrolment.PK));
  const uki = await espText(`EFI/Linux/bootc/bootc_composefs-${sealed.deploymentId}.efi`);
  assert.ok(uki.includes(`composefs=${sealed.deploymentId} rw`));
  assert.ok(uki.includes(OS_RELEASE));
});

test("the same image and SOURCE_DATE_EPOCH give the same bytes", async () => {
  const again = await installToDisk(optionsFor("again", sealed.reference));
  const digest = async (path: string) =>
    createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  assert.equal(await digest(again.path), await digest(disk.path));
});

test("without SOURCE_DATE_EPOCH two disks have different identities", async () => {
  const { sourceDateEpoch: _fixed, ...options } = optionsFor("identity", sealed.reference);
  const other = await installToDisk(options);
  assert.notEqual(other.diskGuid, disk.diskGuid);
  assert.notEqual(other.rootUuid, disk.rootUuid);
  await checkWithE2fsck({ directory: scratch, path: other.path }, rootStartBytes);
});

test("an existing file is kept without --wipe and replaced with it", async () => {
  const options = optionsFor("exists", sealed.reference);
  writeFileSync(options.target, "precious");
  await assert.rejects(installToDisk(options), {
    code: "exists",
    message: `Cannot install to ${options.target}: the file exists`,
  });
  assert.equal(await readFile(options.target, "utf8"), "precious");
  assertOnly(options.target, ["disk.img"]);
  const wiped = await installToDisk({ ...options, wipe: true });
  assert.equal(statSync(wiped.path).size, DISK_BYTES);
  assertOnly(options.target, ["disk.img"]);
});

test("a size that is not whole MiB is rounded down, and says so", async () => {
  const messages: string[] = [];
  const events = (event: WorkEvent) => event.type === "message" && messages.push(event.text);
  const made = await installToDisk(optionsFor("odd", sealed.reference, { sizeBytes: DISK_BYTES + MIB - 1, events }));
  assert.equal(made.sizeBytes, DISK_BYTES);
  assert.equal(statSync(made.path).size, DISK_BYTES);
  assert.deepEqual(messages, ["The disk gets 256 MiB: its size of 269484031 bytes is rounded down to whole MiB"]);
});

test("a size of the root that is not whole MiB is rounded down, and says so", async () => {
  const messages: string[] = [];
  const events = (event: WorkEvent) => event.type === "message" && messages.push(event.text);
  const made = await installToDisk(optionsFor("odd-root", sealed.reference, { rootSizeBytes: 100 * MIB + 1, events }));
  const root = (await readDiskPartitions(made.path)).partitions.find(({ name }) => name === "root");
  assert.equal(root?.sizeBytes, 100 * MIB);
  assert.deepEqual(messages, [
    "The root partition gets 100 MiB: its size of 104857601 bytes is rounded down to whole MiB",
  ]);
});

test("a root=UUID= in the sealed command line becomes the root file system's UUID", async () => {
  const uuid = "0123abcd-1111-4222-8333-444455556666";
  const image = await sealImage(directory("uuid-image"), baseFiles(), {
    commandLine: (id) => `composefs=${id} root=UUID=${uuid} rw`,
  });
  const { path, rootUuid } = await installToDisk(optionsFor("uuid", image.reference));
  assert.equal(rootUuid, uuid);
  const superblock = await runTool("debugfs", ["-R", "stats -h", `${path}?offset=${rootStartBytes}`]);
  assert.match(superblock.stdout.toString(), new RegExp(`Filesystem UUID: +${uuid}`));
});

test("a local source without target warns that the host cannot upgrade from it", async () => {
  const messages: string[] = [];
  const { targetName: _name, ...options } = optionsFor("warning", sealed.reference, {
    events: (event) => event.type === "message" && messages.push(event.text),
  });
  await installToDisk(options);
  assert.deepEqual(messages, [
    `The installed host cannot upgrade from ${sealed.reference}: give --target-imgref with the name it has in a registry`,
  ]);
});

test("another root= in the sealed command line is warned of", async () => {
  const image = await sealImage(directory("label-image"), baseFiles(), {
    commandLine: (id) => `composefs=${id} root=LABEL=root rw`,
  });
  const messages: string[] = [];
  const events = (event: WorkEvent) => event.type === "message" && messages.push(event.text);
  await installToDisk(optionsFor("label", image.reference, { events }));
  assert.deepEqual(messages, [
    "The sealed command line says root=LABEL=root: see that the new disk is found by that name",
  ]);
});

test("refused: a staging directory that does not exist", async () => {
  const stagingParent = join(scratch, "no-staging");
  const options = optionsFor("staging", sealed.reference, { stagingParent });
  await assert.rejects(installToDisk(options), { code: "not-found", message: /^Cannot stage the repository: / });
  assertOnly(options.target, []);
});

interface Refusal {
  readonly name: string;
  readonly source: () => Promise<string>;
  readonly changes?: Partial<InstallToDiskOptions>;
  readonly code: string;
  readonly message: string | RegExp;
}

async function imageWithout(name: string, prefix: string): Promise<string> {
  const files = baseFiles().filter(({ path }) => path !== prefix && !path.startsWith(`${prefix}/`));
  return (await sealImage(directory(name), files)).reference;
}

const kernel: ImageFile[] = [
  { path: "usr/lib/modules" },
  { path: "usr/lib/modules/6.12" },
  { path: "usr/lib/modules/6.12/vmlinuz", content: "kernel" },
];

const refusals: Refusal[] = [
  {
    name: "a disk too small for its partitions",
    source: async () => sealed.reference,
    changes: { sizeBytes: 100 * MIB },
    code: "no-space",
    message: "Cannot partition the disk: 131 MiB needed, the disk has 100 MiB",
  },
  {
    name: "a root partition too small for the image",
    source: async () => {
      const big = { path: "usr/bin/big", content: Buffer.alloc(80 * MIB, "big") };
      return (await sealImage(directory("big-image"), [...baseFiles(), big])).reference;
    },
    changes: { sizeBytes: 140 * MIB },
    code: "no-space",
    message:
      /^Cannot install the image: the root partition \(73 MiB\) is too small for 8[23] MiB in 7\d files, which need 93 MiB$/,
  },
  {
    name: "an ESP too small for its files",
    source: async () => {
      const large = { path: "usr/lib/bootc/install/secureboot-keys/auto/KEK.auth", content: Buffer.alloc(61 * MIB) };
      return (await sealImage(directory("large-esp"), [...baseFiles(), large])).reference;
    },
    changes: {
      sizeBytes: 512 * MIB,
      events: (event) => event.type === "step-started" && assert.notEqual(event.step, "write the ESP"),
    },
    code: "no-space",
    message: "Cannot install the image: the EFI system partition (64 MiB) is too small for 62 MiB in 9 files",
  },
  {
    name: "an image that is not sealed",
    source: () => writeImage(directory("unsealed"), [[...baseFiles(), ...kernel]]),
    code: "unsupported",
    message:
      "Cannot install the image: it is not sealed (no UKI in /boot/EFI/Linux), and has no initramfs (/usr/lib/modules/6.12/initramfs.img)",
  },
  {
    name: "an image that is not sealed, though it could boot without",
    source: () => writeImage(directory("type1"), [[...baseFiles(), ...type1Files()]]),
    code: "untrusted",
    message:
      "Cannot install the image: it is not sealed (no UKI in /boot/EFI/Linux), so its disk boots what anyone writes to it",
  },
  {
    name: "an image that boots from an Android boot image",
    source: async () => {
      const files = [...baseFiles(), { path: "boot/aboot-6.12.img", content: "ANDROID!" }];
      return (await sealImage(directory("android"), files)).reference;
    },
    code: "unsupported",
    message: "Cannot install the image: it boots from an Android boot image (/boot/aboot-6.12.img), not from a UKI",
  },
  {
    name: "an image without kernel",
    source: () => writeImage(directory("kernelless"), [baseFiles()]),
    code: "unsupported",
    message: "Cannot install the image: it has neither a UKI nor a kernel",
  },
  {
    name: "an image without /usr",
    source: () => writeImage(directory("usrless"), [[{ path: "boot" }, { path: "sysroot" }]]),
    code: "unsupported",
    message: 'Cannot make the root file system: Directory entry "usr" does not exist',
  },
  {
    name: "an image without systemd-boot",
    source: () => imageWithout("loaderless", "usr/lib/systemd"),
    code: "unsupported",
    message: "Cannot install the image: it has no systemd-boot (/usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed)",
  },
  {
    name: "a UKI sealed for another image",
    source: async () => {
      const image = await sealImage(directory("other"), baseFiles(), {
        commandLine: () => `composefs=${"0".repeat(128)}`,
      });
      return image.reference;
    },
    code: "conflict",
    message: `The UKI has the wrong composefs= parameter (is '${"0".repeat(128)}', should be '${sealed.deploymentId}')`,
  },
  {
    name: "a UKI that names no image",
    source: async () => (await sealImage(directory("nameless"), baseFiles(), { commandLine: () => "rw" })).reference,
    code: "unsupported",
    message: "Cannot install the image: the UKI /boot/EFI/Linux/6.12.efi has no composefs= argument",
  },
  {
    name: "a UKI for another architecture",
    source: async () => (await sealImage(directory("arm"), baseFiles(), { architecture: "aa64" })).reference,
    code: "conflict",
    message: "Cannot install the image: it is for amd64, but its UKI is for aa64",
  },
  {
    name: "two UKIs",
    source: () =>
      writeImage(directory("two-ukis"), [
        baseFiles(),
        [...ukiLayer(ukiImage("0")), { path: "boot/EFI/Linux/second.efi", content: ukiImage("0") }],
      ]),
    code: "conflict",
    message: "Cannot install the image: it has 2 UKIs, 1 expected",
  },
  {
    name: "an add-on the image does not have",
    source: async () => sealed.reference,
    changes: { addonNames: ["debug"] },
    code: "not-found",
    message: "Cannot install the add-on debug: the image has no debug.addon.efi",
  },
  {
    name: "a source that does not exist",
    source: async () => `oci:${join(scratch, "nowhere")}`,
    code: "not-found",
    message: /nowhere/,
  },
];

for (const refusal of refusals) {
  test(`refused, leaving nothing behind: ${refusal.name}`, async () => {
    const options = optionsFor(`refused ${refusal.name.replaceAll("/", "")}`, await refusal.source(), refusal.changes);
    await assert.rejects(installToDisk(options), { code: refusal.code, message: refusal.message });
    assertOnly(options.target, []);
  });
}

test("refused: a target in a directory that does not exist", async () => {
  const options = { ...optionsFor("no-directory", sealed.reference), target: join(scratch, "missing", "disk.img") };
  await assert.rejects(installToDisk(options), {
    code: "not-found",
    message: `Cannot install to ${options.target}: its directory does not exist`,
  });
});

test("refused: a directory as target, even with --wipe", async () => {
  const options = { ...optionsFor("directory-target", sealed.reference), wipe: true };
  mkdirSync(options.target);
  await assert.rejects(installToDisk(options), { code: "unsupported", message: /it is not a plain file$/ });
});
