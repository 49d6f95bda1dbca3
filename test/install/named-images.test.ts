/** Which images a UKI may name: one or two, in bootc's forms, by any rule that bootc has had; and what is installed then. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { readDiskPartitions, readEspFile } from "../../src/disk/index.ts";
import { installToDisk } from "../../src/install/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles, type ImageFile, type RuledImage, sealImage } from "./sealed-image.ts";

const MIB = 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-named-images-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Files whose times and attributes make all rules give different images. */
function files(): ImageFile[] {
  const nanoseconds: Record<string, number> = { usr: 11, boot: 22, sysroot: 33 };
  const xattrs = new Map([[byteStringOfText("user.note"), Buffer.from("x")]]);
  return baseFiles().map((file) => {
    const mtimeNanoseconds = nanoseconds[file.path];
    if (mtimeNanoseconds !== undefined) return { ...file, header: { ...file.header, mtimeNanoseconds } };
    return file.path === "etc/hostname" ? { ...file, header: { ...file.header, xattrs } } : file;
  });
}

interface Images {
  readonly v1: string;
  readonly v2: string;
  /** Of version 1, with the seconds of /usr only. */
  readonly v1Seconds: string;
  readonly v1UserXattrs: string;
  readonly v2UserXattrs: string;
}

function byRule(images: readonly RuledImage[]): Images {
  const find = (version: number, keepUserXattrs: boolean, bootTimes: string) =>
    images.find(
      (one) => one.version === version && one.keepUserXattrs === keepUserXattrs && one.bootTimes === bootTimes,
    )?.id ?? assert.fail("no such rule");
  return {
    v1: find(1, false, "full"),
    v2: find(2, false, "full"),
    v1Seconds: find(1, false, "seconds"),
    v1UserXattrs: find(1, true, "full"),
    v2UserXattrs: find(2, true, "full"),
  };
}

const digest = (id: string, mark = "") => `composefs.digest=${mark}v1-sha512-12:${id}`;
const OTHER = "0".repeat(128);

let count = 0;
/** Installs an image with this command line. */
async function install(commandLine: (images: Images) => string) {
  const directory = join(scratch, String(count++));
  mkdirSync(directory);
  let images: Images | undefined;
  const { reference } = await sealImage(directory, files(), {
    commandLine: (_, all) => {
      images = byRule(all);
      return commandLine(images);
    },
  });
  const messages: string[] = [];
  const target = join(directory, "disk.img");
  const disk = await installToDisk({
    ...{ target, source: reference, sizeBytes: 256 * MIB, espSizeBytes: 64 * MIB, wipe: false },
    ...{ targetName: "quay.io/example/os:latest", targetTransport: "registry", addonNames: [], sourceDateEpoch: 1 },
    allowMissingVerity: images !== undefined && commandLine(images).includes("=?"),
    events: (event) => event.type === "message" && messages.push(`${event.level}: ${event.text}`),
  });
  assert.ok(images);
  return { disk, images, messages, directory };
}

async function partitionStart(path: string, name: string): Promise<number> {
  return (await readDiskPartitions(path)).partitions.find((one) => one.name === name)?.startBytes ?? 0;
}

/** The repository on the disk, copied out of it; without fs-verity, which is looked at elsewhere. */
async function repositoryOf(path: string, directory: string): Promise<string> {
  const root = await partitionStart(path, "root");
  await runTool("debugfs", ["-R", `rdump /composefs ${directory}`, `${path}?offset=${root}`]);
  return join(directory, "composefs");
}

async function json(...words: string[]) {
  const { exitCode, out, err } = await run(...words, "--json");
  assert.equal(exitCode, 0, err);
  return JSON.parse(out);
}

test("a UKI with both arguments, as bootc builds it: both images are installed, the deployment is the first's", async () => {
  // Arguments of kargs.d first, those of --karg last (spec/upstream-1.17.md 2b).
  const { disk, images, messages, directory } = await install(
    ({ v1, v2 }) => `rw console=ttyS0 ${digest(v1)} composefs=${v2} quiet`,
  );
  assert.equal(disk.deploymentId, images.v1);
  assert.deepEqual(messages, []);
  const root = await partitionStart(disk.path, "root");
  const debugfs = async (command: string) =>
    (await runTool("debugfs", ["-R", command, `${disk.path}?offset=${root}`])).stdout.toString("latin1");
  for (const id of [images.v1, images.v2]) {
    assert.match(await debugfs(`stat /composefs/images/${id}`), /Type: symlink/);
    assert.match(await debugfs(`stat /composefs/objects/${id.slice(0, 2)}/${id.slice(2)}`), /Flags: 0x180000/);
  }
  assert.match(await debugfs("ls -p /state/deploy"), new RegExp(`/${images.v1}/`));
  assert.doesNotMatch(await debugfs("ls -p /state/deploy"), new RegExp(images.v2));
  assert.match(await debugfs(`cat /state/deploy/${images.v1}/${images.v1}.origin`), /^boot_type = uki$/m);
  const esp = await partitionStart(disk.path, "EFI-SYSTEM");
  const uki = `EFI/Linux/bootc/bootc_composefs-${images.v1}.efi`;
  const read = (path: string) => readEspFile({ directory, path: disk.path }, esp, path);
  assert.match(
    Buffer.from(await read(uki)).toString("latin1"),
    new RegExp(`${digest(images.v1)} composefs=${images.v2}`),
  );
  const entry = Buffer.from(await read("loader/entries/bootc_testos-1.0-1.conf")).toString();
  assert.match(entry, new RegExp(`^efi /${uki}$`, "m"));
});

test("gc keeps every image that an installed UKI names, and lists them as one image's", async () => {
  const { images, disk, directory } = await install(({ v1Seconds, v2 }) => `${digest(v1Seconds)} composefs=${v2}`);
  const repo = await repositoryOf(disk.path, directory);
  const options = ["--repo", repo, "--insecure"];
  assert.deepEqual((await json("repo", "gc", "--dry-run", ...options)).paths, []);
  await json("repo", "gc", ...options);
  const linked: { id: string; bootable: boolean; version: number }[] = await json(
    ...["repo", "linked-erofs-images", images.v2, ...options],
  );
  assert.deepEqual(
    linked.filter(({ bootable }) => bootable).map(({ id, version }) => [id, version]),
    [
      [images.v2, 2],
      [images.v1Seconds, 1],
    ],
  );
  assert.equal((await run("repo", "fsck", ...options)).exitCode, 0);
  // The deployment's tag is what keeps them.
  await json("image", "remove", "--force", `localhost/bootc-${disk.manifestDigest}`, ...options).catch(() => {});
  await run("image", "remove", "--force", `localhost/bootc-${disk.manifestDigest}`, ...options);
  assert.ok((await json("repo", "gc", "--dry-run", ...options)).paths.includes(`images/${images.v2}`));
});

const SECONDS = "/boot and /sysroot with the seconds of /usr only (composefs before 0.9.3)";

/** What is installed without a word, or with one line about the rule that made it. */
const ACCEPTED: readonly {
  readonly name: string;
  readonly line: (images: Images) => string;
  readonly deployment: keyof Images;
  readonly messages?: (images: Images) => string[];
}[] = [
  { name: "bare, version 1: bootc 1.16.4 to 1.16.13, and ours", line: ({ v1 }) => `composefs=${v1}`, deployment: "v1" },
  {
    name: "bare, version 2: bootc 1.16.3, and --erofs-version=v2",
    line: ({ v2 }) => `composefs=${v2}`,
    deployment: "v2",
  },
  { name: "--erofs-version=v1-only", line: ({ v1 }) => digest(v1), deployment: "v1" },
  {
    name: "both in the other order: the one of version 1 still names the deployment",
    line: ({ v1, v2 }) => `composefs=${v2} ${digest(v1)}`,
    deployment: "v1",
  },
  { name: "both with one image", line: ({ v1 }) => `${digest(v1)} composefs=${v1}`, deployment: "v1" },
  {
    name: "composefs.digest= of version 2",
    line: ({ v2 }) => `composefs.digest=v2-sha512-12:${v2}`,
    deployment: "v2",
  },
  {
    name: "sealed from a directory by bootc 1.16: the old rule for times",
    line: ({ v1Seconds }) => `composefs=${v1Seconds}`,
    deployment: "v1Seconds",
    messages: ({ v1Seconds }) => [
      `info: The image ${v1Seconds} of the UKI was made by a rule of its own: version 1, ${SECONDS}`,
    ],
  },
  {
    name: "user attributes kept, in both versions",
    line: ({ v1UserXattrs, v2UserXattrs }) => `${digest(v1UserXattrs)} composefs=${v2UserXattrs}`,
    deployment: "v1UserXattrs",
    messages: ({ v1UserXattrs, v2UserXattrs }) => [
      `info: The image ${v1UserXattrs} of the UKI was made by a rule of its own: version 1, user.* attributes kept`,
      `info: The image ${v2UserXattrs} of the UKI was made by a rule of its own: version 2, user.* attributes kept`,
    ],
  },
  {
    name: "both without required fs-verity",
    line: ({ v1, v2 }) => `${digest(v1, "?")} composefs=?${v2}`,
    deployment: "v1",
    messages: () => [
      "warning: The image is not sealed strictly: its command line has composefs=?, so fs-verity is not required",
    ],
  },
];

for (const { name, line, deployment, messages } of ACCEPTED) {
  test(`installed: ${name}`, async () => {
    const { disk, images, messages: said } = await install(line);
    assert.equal(disk.deploymentId, images[deployment]);
    assert.deepEqual(said, messages?.(images) ?? []);
  });
}

const REFUSED: readonly {
  readonly name: string;
  readonly line: (images: Images) => string;
  readonly code: string;
  readonly message: (images: Images) => string;
}[] = [
  {
    name: "a first image that is not made of the layers",
    line: ({ v2 }) => `${digest(OTHER)} composefs=${v2}`,
    code: "conflict",
    message: ({ v1 }) => `The UKI has the wrong composefs= parameter (is '${OTHER}', should be '${v1}')`,
  },
  {
    name: "a fallback that is not made of the layers",
    line: ({ v1 }) => `${digest(v1)} composefs=${OTHER}`,
    code: "conflict",
    message: ({ v1 }) => `The UKI has the wrong composefs= parameter (is '${OTHER}', should be '${v1}')`,
  },
  {
    name: "an image of version 2 that is named as one of version 1",
    line: ({ v2 }) => digest(v2),
    code: "conflict",
    message: ({ v2 }) => `The UKI has the wrong composefs.digest= parameter: ${v2} is an image of version 2, not 1`,
  },
  {
    name: "an image of version 1 that is named as one of version 2",
    line: ({ v1 }) => `composefs.digest=v2-sha512-12:${v1}`,
    code: "conflict",
    message: ({ v1 }) => `The UKI has the wrong composefs.digest= parameter: ${v1} is an image of version 1, not 2`,
  },
  {
    name: "a digest of another hash",
    line: () => `composefs=${"0".repeat(64)}`,
    code: "conflict",
    message: ({ v1 }) => `The UKI has the wrong composefs= parameter (is '${"0".repeat(64)}', should be '${v1}')`,
  },
  {
    name: "fs-verity required for one image only",
    line: ({ v1, v2 }) => `${digest(v1)} composefs=?${v2}`,
    code: "conflict",
    message: () => 'Cannot choose the root image: only one of the two composefs arguments has "?"',
  },
  {
    name: "a third image",
    line: ({ v1, v2 }) => `${digest(v1)} composefs=${v2} composefs=${v1}`,
    code: "untrusted",
    message: () => "Cannot choose the root image: 2 times composefs= on the kernel command line, at most 1 expected",
  },
];

for (const { name, line, code, message } of REFUSED) {
  test(`refused: ${name}`, async () => {
    let images: Images | undefined;
    const installation = install((all) => {
      images = all;
      return line(all);
    });
    await assert.rejects(installation, (error: { code: string; message: string }) => {
      assert.ok(images);
      assert.deepEqual([error.code, error.message], [code, message(images)]);
      return true;
    });
  });
}
