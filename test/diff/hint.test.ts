/** The command with which a failed check of a digest ends, and what it says when it is run; and disks. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { run } from "../cli/run-verb.ts";
import { baseFiles, sealImage, ukiImage, ukiLayer, writeImage } from "../install/sealed-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-diff-hint-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const directory = (name: string) => {
  mkdirSync(join(scratch, name));
  return join(scratch, name);
};

const toDisk = (disk: string, reference: string) =>
  run("install", "to-disk", disk, "--source-imgref", reference, "--size", "1200M", "--insecure-policy");

test("install of an image that was changed after it was sealed: the hint's command names what was changed", async () => {
  const { deploymentId } = await sealImage(directory("sealed"), baseFiles());
  const layers = [
    baseFiles(),
    ukiLayer(ukiImage(deploymentId)),
    [{ path: "etc" }, { path: "etc/motd", content: "changed" }],
  ];
  const changed = await writeImage(directory("it's changed"), layers);
  const { exitCode, err } = await toDisk(join(scratch, "refused.img"), changed);
  assert.equal(exitCode, 1);
  const [, words] =
    /^ {2}to see what was changed: sealroot (diff .+); then seal the unsealed image again$/m.exec(err) ?? [];
  assert.ok(words !== undefined, err);
  const [, id = "", quoted = ""] = /^diff ([0-9a-f]{128}) (.+)$/.exec(words) ?? [];
  assert.equal(quoted, `'${changed.replace("'", "'\\''")}'`);
  const shown = await run("diff", id, changed, "--insecure-policy");
  assert.equal(shown.exitCode, 1);
  assert.match(shown.out, /^A {2}[0-9a-f]{128}: image id, the image without its last layer, layer 3, /);
  assert.deepEqual(shown.out.split("\n\n")[1]?.split("\n"), [
    "/etc",
    "  mode: 0751 → 0755  (mode)",
    "    B: from layer 3",
    "/etc/motd",
    "  entry: none → file of 7 bytes  (entry)",
    "    B: from layer 3",
  ]);
});

test("diff of two disks: the images that boot from them, and the files of the ESP", async () => {
  const files = baseFiles();
  const first = await sealImage(directory("first"), files);
  const other = files.map((file) => (file.path === "usr/bin/small" ? { ...file, content: "t".repeat(101) } : file));
  const second = await sealImage(directory("second"), other);
  const disks = [join(scratch, "first.img"), join(scratch, "second.img")] as const;
  for (const [disk, { reference }] of [[disks[0], first] as const, [disks[1], second] as const]) {
    const { exitCode, err } = await toDisk(disk, reference);
    assert.equal(exitCode, 0, err);
  }
  const same = await run("diff", disks[0], first.reference, "--insecure-policy");
  assert.deepEqual([same.exitCode, same.err], [0, ""]);
  assert.match(same.out, new RegExp(`^A {2}${disks[0]}: disk, deployment ${first.deploymentId.slice(0, 12)}, `));
  const { exitCode, out, err } = await run("diff", ...disks);
  assert.deepEqual([exitCode, err], [1, ""]);
  const [sides = "", differences = "", esp = ""] = out.split("\n\n");
  assert.deepEqual(
    [...sides.matchAll(/^ {3}([0-9a-f]{128})$/gm)].map(([, id]) => id),
    [first.deploymentId, second.deploymentId],
  );
  assert.match(
    differences,
    /^\/usr\/bin\/small\n {2}size: 100 → 101 {2}\(size\)\n {2}content: [0-9a-f]{16} → [0-9a-f]{16} {2}\(content\)$/,
  );
  const lines = esp.split("\n");
  assert.equal(lines[0], "ESP (no part of the digest; firmware and UKI vouch for it):");
  // UKI and entry are named after the deployments.
  for (const id of [first.deploymentId, second.deploymentId]) {
    assert.ok(
      lines.some((line) => line.includes(id.slice(0, 12)) && line.includes(": entry ")),
      out,
    );
  }
});
