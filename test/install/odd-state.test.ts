/** Whatever an image has in /etc and /var is on the disk, or refused by name; `seal` refuses the same: test/seal/check-state.test.ts. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { readDiskPartitions } from "../../src/disk/index.ts";
import { type InstallToDiskOptions, installToDisk } from "../../src/install/index.ts";
import { runTool } from "../../src/platform/index.ts";
import { baseFiles, type ImageFile, SMALL_DISK, sealImage } from "./sealed-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-odd-state-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function xattrs(values: Record<string, Uint8Array>): { xattrs: Map<ReturnType<typeof byteStringOfText>, Uint8Array> } {
  return { xattrs: new Map(Object.entries(values).map(([name, value]) => [byteStringOfText(name), value])) };
}

/** Version 2: owner rw, user 1000 rwx, group r, mask rwx, others nothing (linux/posix_acl_xattr.h). */
const ACL = Buffer.from(
  ["02000000", "0100060000000000", "02000700e8030000", "0400040000000000", "1000070000000000", "2000000000000000"].join(
    "",
  ),
  "hex",
);
const LARGE_COUNT = 3000;

async function sealedWith(name: string, files: readonly ImageFile[]): Promise<InstallToDiskOptions> {
  const directory = join(scratch, name);
  mkdirSync(join(directory, "target"), { recursive: true });
  return {
    target: join(directory, "target", "disk.img"),
    source: (await sealImage(directory, [...baseFiles(), ...files])).reference,
    ...SMALL_DISK,
    sourceDateEpoch: 1_700_000_000,
    events: () => {},
  };
}

test("names, devices, attributes and large directories of /etc and /var are on the disk", async () => {
  const device = (major: number, minor: number) => ({ kind: "character-device", device: { major, minor } }) as const;
  const options = await sealedWith("odd", [
    { path: "etc/line\nbreak", content: "odd\n" },
    { path: "etc/acl", content: "acl", header: { mode: 0o670, ...xattrs({ "system.posix_acl_access": ACL }) } },
    {
      path: "var/lib",
      header: xattrs({ "system.posix_acl_default": ACL, "trusted.overlay.opaque": Buffer.from("y") }),
    },
    { path: "var/lib/noted", content: "n", header: xattrs({ "user.note": Buffer.from("text"), "security.evm": ACL }) },
    { path: "var/lib/device", header: device(4000, 1_000_000) },
    { path: "var/lib/large" },
    ...Array.from({ length: LARGE_COUNT }, (_, index) => ({ path: `var/lib/large/${index}`, content: "" })),
  ]);
  const { path, deploymentId } = await installToDisk(options);
  const root = (await readDiskPartitions(path)).partitions.find((partition) => partition.name === "root");
  const debugfs = async (command: string) => {
    return (await runTool("debugfs", ["-R", command, `${path}?offset=${root?.startBytes}`])).stdout.toString("latin1");
  };
  const etc = `/state/deploy/${deploymentId}/etc`;
  const lib = "/state/os/default/var/lib";
  const inode = /\/(\d+)\/100644\/0\/0\/line\nbreak\/4\//.exec(await debugfs(`ls -p ${etc}`))?.[1];
  assert.equal(await debugfs(`cat <${inode}>`), "odd\n");
  assert.match(await debugfs(`stat ${lib}/device`), /number: 4000:1000000/);
  assert.match(await debugfs(`htree ${lib}/large`), /Indirect levels: 0\n/);
  const attribute = async (file: string, name: string) => {
    await debugfs(`ea_get -f ${join(scratch, "value")} ${file} ${name}`);
    return readFileSync(join(scratch, "value"));
  };
  assert.deepEqual(await attribute(`${etc}/acl`, "system.posix_acl_access"), ACL);
  assert.deepEqual(await attribute(lib, "system.posix_acl_default"), ACL);
  assert.deepEqual(await attribute(`${lib}/noted`, "user.note"), Buffer.from("text"));
  // What depends on the machine that made the image is dropped.
  assert.deepEqual((await debugfs(`ea_list ${lib}`)).match(/\w+\.[\w.]+/g), ["system.posix_acl_default"]);
  assert.deepEqual((await debugfs(`ea_list ${lib}/noted`)).match(/\w+\.[\w.]+/g), ["user.note"]);
});

test("refused, leaving nothing behind: a file that no disk can hold, by its name in the image", async () => {
  const header = xattrs({ "user.large": new Uint8Array(4100) });
  const options = await sealedWith("large", [{ path: "var/large", content: "", header }]);
  await assert.rejects(installToDisk(options), {
    code: "unsupported",
    message: 'Cannot put "/var/large" on a disk: its extended attributes have more than 4 KiB',
    data: { path: "/var/large" },
  });
  assert.deepEqual(readdirSync(join(options.target, "..")), []);
});
