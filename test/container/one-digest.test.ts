/** One input, sealed in three ways, has one digest, by the rules of every version of composefs-rs (spec/upstream-1.17.md 2a). */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { readUki } from "../../src/pe/index.ts";
import { setXattr } from "../../src/platform/index.ts";
import { readSealedUki } from "../../src/seal/index.ts";
import { run } from "../cli/run-verb.ts";
import { buildRoot, RELEASE } from "./build-root.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-one-digest-"));
after(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const RULES = ["v1", "v2"].flatMap((version) => ["full", "seconds"].map((times) => ({ version, times })));

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, `${words.join(" ")}: ${err}`);
  return out;
}

async function sealedLine(reference: string): Promise<string> {
  const image = await openImage(parseReference(reference));
  const { commandLine } = readUki(await readSealedUki(image));
  await image.close();
  return commandLine ?? "";
}

/** The digests by each rule, from a directory. */
async function digests(root: string): Promise<string[]> {
  const all: string[] = [];
  for (const { version, times } of RULES) {
    const words = ["--erofs-version", version, "--boot-times", times];
    all.push((await succeed("container", "compute-composefs-digest", root, ...words)).trim());
  }
  return all;
}

interface Input {
  readonly name: string;
  readonly time: string;
  /** Of /boot, where it differs. */
  readonly bootTime?: string;
}

const INPUTS: readonly Input[] = [
  { name: "whole seconds", time: "@1700000000" },
  { name: "fractions", time: "2024-02-03 04:05:06.789012345 +0000" },
  { name: "another fraction at /boot", time: "2024-02-03 04:05:06.789 +0000", bootTime: "2024-02-03 04:05:06.1 +0000" },
];

for (const { name, time, bootTime } of INPUTS) {
  test(`seal, container ukify and the steps of bootc's manual agree: ${name}`, async () => {
    using build = await buildRoot(time);
    const place = (what: string) => at(`${name.replaceAll(/\W/g, "-")}-${what}`);
    if (bootTime !== undefined) execFileSync("touch", ["--date", bootTime, join(build.root, "boot")]);
    const input = await build.layout(place("input"));
    const sealed = `oci:${place("sealed")}:v1`;
    await succeed("seal", "--insecure-policy", input, "-o", sealed, "--unsigned", "--erofs-version", "v1");
    const line = await sealedLine(sealed);
    const form = /^composefs\.digest=v1-sha512-12:([0-9a-f]{128}) composefs=([0-9a-f]{128}) rw$/;
    const [v1 = "", v2 = ""] = form.exec(line)?.slice(1) ?? [];
    assert.ok(v1 !== "" && v2 !== "", line);

    // bootc's own steps: the kernel is renamed out of the tree; the layer has the time that its folder had before.
    const byHand = place("by-hand");
    execFileSync("cp", ["--archive", build.root, byHand]);
    const modules = join(byHand, "usr/lib/modules", RELEASE);
    for (const file of ["vmlinuz", "initramfs.img", ".vmlinuz.hmac"]) renameSync(join(modules, file), place(file));
    execFileSync("touch", ["--reference", join(byHand, "usr"), modules]);
    const made = await digests(byHand);
    assert.deepEqual([made[0], made[2], made[3]], [v1, v2, v2]);
    // By the older rule /boot keeps its fraction: there it is another image, and seal's is the one of both rules.
    assert.equal(made[1] === v1, bootTime === undefined);

    await succeed("container", "split-kernel-and-rootfs", "--rootfs", build.root, "--output", place("kernel"));
    assert.deepEqual(await digests(build.root), [v1, v1, v2, v2]);
    const output = place("uki.efi");
    const words = ["--rootfs", build.root, "--kernel-dir", join(place("kernel"), RELEASE), "--", "--output", output];
    assert.equal(await succeed("container", "ukify", ...words), `Wrote unsigned ${output}\n`);
    assert.equal(readUki(readFileSync(output)).commandLine, `composefs.digest=v1-sha512-12:${v1} composefs=${v2}`);
  });
}

const EVERY_RULE = RULES.flatMap(({ version, times }) =>
  ["allowlist-only", "keep-user-xattrs"].map((xattrs) => ({ version: version.slice(1), times, xattrs })),
);

test("by every rule of every version the three have one digest, and the rules differ", async () => {
  using build = await buildRoot("2024-02-03 04:05:06.789 +0000");
  setXattr(join(build.root, "usr/lib/os-release"), byteStringOfText("user.note"), Buffer.from("kept by some"));
  const sealed = `oci:${at("rules-sealed")}:v1`;
  await succeed("seal", "--insecure-policy", await build.layout(at("rules-input")), "-o", sealed, "--unsigned");
  await succeed("repo", "init", "--insecure", at("rules-repository"));
  await succeed("image", "pull", "--insecure-policy", "--repo", at("rules-repository"), sealed, "os");
  const byHand = at("rules-by-hand");
  execFileSync("cp", ["--archive", build.root, byHand]);
  const modules = join(byHand, "usr/lib/modules", RELEASE);
  for (const file of ["vmlinuz", "initramfs.img", ".vmlinuz.hmac"]) rmSync(join(modules, file));
  execFileSync("touch", ["--reference", join(byHand, "usr"), modules]);
  await succeed("container", "split-kernel-and-rootfs", "--rootfs", build.root, "--output", at("rules-kernel"));
  const found = new Set<string>();
  for (const { version, times, xattrs } of EVERY_RULE) {
    const rule = ["--bootable", "--erofs-version", version, "--boot-times", times, "--xattrs", xattrs];
    const bySeal = await succeed("image", "compute-id", "--repo", at("rules-repository"), ...rule, "os");
    const ofDirectory = (root: string) => succeed("repo", "compute-id", "--no-repo", "--hash", "sha512", ...rule, root);
    assert.deepEqual([await ofDirectory(build.root), await ofDirectory(byHand)], [bySeal, bySeal], rule.join(" "));
    found.add(bySeal);
  }
  // The times make no difference in what seal and split-kernel-and-rootfs make; version and attributes do.
  assert.equal(found.size, 4);
});
