/** A disk depends on the image and SOURCE_DATE_EPOCH alone: two of everything else that a building host has give the same bytes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeSealedDisk } from "../../examples/debian/sealed-disk.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { silent } from "../../src/events/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { OFTEN_FOUND, OTHER_UID, runIn, SELDOM_FOUND, SELDOM_SPOKEN, type Surroundings } from "../surroundings.ts";
import { baseFiles, type ImageFile, sealImage } from "./sealed-image.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");
/** Another kind of file system, which lists directories in another order, where there is one. */
const MEMORY = "/dev/shm";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-builder-"));
const memory = mkdtempSync(join(MEMORY, "sealroot-builder-"));
// Another user must get in; mkdtemp makes directories of mode 0700.
for (const directory of [scratch, memory]) chmodSync(directory, 0o755);
after(() => {
  for (const directory of [scratch, memory]) rmSync(directory, { recursive: true, force: true });
});

const OFTEN_USED: Surroundings = {
  ...OFTEN_FOUND,
  environment: {
    TZ: "UTC",
    LC_ALL: "C",
    HOME: scratch,
    USER: "root",
    LOGNAME: "root",
    TMPDIR: scratch,
    PATH: "/usr/bin",
  },
};

let image: string;
/** Programs of the e2fsprogs in the example, which is of a later Debian than this machine need be. */
let otherTools: string;
before(async () => {
  mkdirSync(join(scratch, "image"));
  const files: ImageFile[] = [
    ...baseFiles(),
    { path: "etc/line\nbreak", content: "odd" },
    { path: "etc/İı", content: "dotted and dotless" },
    {
      path: "var/note",
      content: "n",
      header: { xattrs: new Map([[byteStringOfText("user.note"), Buffer.from("x")]]) },
    },
    { path: "var/large" },
    ...Array.from({ length: 500 }, (_, index) => ({ path: `var/large/${index}`, content: `${index}`.repeat(99) })),
  ];
  image = (await sealImage(join(scratch, "image"), files)).reference;
  otherTools = await extractTools((await makeSealedDisk({ reuse: true, quiet: true, events: silent })).image.directory);
});

/** The example's own mke2fs and e2fsck, made to run with the example's own libraries. */
async function extractTools(layout: string): Promise<string> {
  const root = join(scratch, "tools");
  mkdirSync(join(root, "bin"), { recursive: true });
  const names = [
    "./usr/sbin/mke2fs",
    "./usr/sbin/e2fsck",
    "./usr/lib/x86_64-linux-gnu/lib*",
    "./usr/lib/x86_64-linux-gnu/ld-linux*",
  ];
  await runTool("sh", [
    "-c",
    'for blob in "$1"/blobs/sha256/*; do tar -xzf "$blob" -C "$2" --wildcards "$3" "$4" "$5" "$6" 2>/dev/null || true; done',
    ...["sh", layout, root, ...names],
  ]);
  const libraries = join(root, "usr/lib/x86_64-linux-gnu");
  for (const tool of ["mke2fs", "e2fsck"]) {
    const command = `${libraries}/ld-linux-x86-64.so.2 --library-path ${libraries} ${root}/usr/sbin/${tool} "$@"`;
    writeFileSync(join(root, "bin", tool), `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 });
  }
  return join(root, "bin");
}

function makeDirectory(parent: string, name: string, uid: number | undefined): string {
  const directory = join(parent, name);
  mkdirSync(directory);
  if (uid !== undefined) chownSync(directory, uid, uid);
  return directory;
}

/** Installs the image in these surroundings. @returns the disk's path */
function install(surroundings: Surroundings, directory: string): string {
  const disk = join(directory, "disk.img");
  const words = ["install", "to-disk", disk, "--size", "1100M", "--source-imgref", image, "--target-imgref", "x/y"];
  const environment = { ...surroundings.environment, SOURCE_DATE_EPOCH: "1700000000" };
  const done = runIn({ ...surroundings, environment }, directory, [process.execPath, MAIN, ...words]);
  assert.equal(done.status, 0, done.stderr);
  return disk;
}

function assertSameBytes(first: string, second: string): void {
  const compared = spawnSync("cmp", ["--verbose", first, second], { encoding: "utf8", maxBuffer: 2 ** 30 });
  assert.equal(compared.stdout.split("\n").slice(0, 9).join("\n"), "", "offsets and bytes that differ");
  assert.equal(compared.status, 0, compared.stderr);
}

test("the second e2fsprogs is another version", async () => {
  const version = async (tool: string) => /^mke2fs ([\d.]+)/.exec((await runTool(tool, ["-V"])).stderr)?.[1];
  const versions = [await version("mke2fs"), await version(join(otherTools, "mke2fs"))];
  assert.match(versions[0] ?? "", /^1\./);
  assert.notEqual(versions[0], versions[1]);
});

test("another umask, user, home, day, language, time zone, file system, processor count and e2fsprogs: the same bytes", () => {
  const first = install(OFTEN_USED, makeDirectory(scratch, "first", undefined));
  const uid = OTHER_UID;
  const home = makeDirectory(scratch, "home", uid);
  writeFileSync(join(home, ".mtoolsrc"), "mtools_lower_case=1\nmtools_no_vfat=1\n");
  const environment = {
    ...SELDOM_SPOKEN,
    HOME: home,
    USER: "somebody-else",
    LOGNAME: "somebody-else",
    TMPDIR: makeDirectory(memory, "temporary", uid),
    PATH: `${otherTools}:/usr/bin:/usr/sbin`,
    UV_THREADPOOL_SIZE: "1",
    MTOOLS_NO_VFAT: "1",
    MTOOLS_LOWER_CASE: "1",
    MTOOLSRC: join(home, ".mtoolsrc"),
    MKE2FS_CONFIG: "/nonexistent",
    MKE2FS_FIRST_META_BG: "1",
    E2FSPROGS_FAKE_TIME: "12345",
  };
  const second = install({ ...SELDOM_FOUND, environment }, makeDirectory(memory, "second", uid));
  assertSameBytes(first, second);
  assertSameBytes(first, install({ ...SELDOM_FOUND, uid: undefined, umask: "000", environment }, scratch));
});
