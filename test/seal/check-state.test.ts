/** What cannot be installed is not sealed, and both say so in the same words: see test/install/odd-state.test.ts. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { checkState } from "../../src/seal/check-state.ts";
import { type DirectoryNode, newDirectory, newMetadata, type TreeNode } from "../../src/tree/index.ts";
import { run } from "../cli/run-verb.ts";
import { sealableImage } from "./sealable-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-check-state-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const name = byteStringOfText;
const large = new Map([[name("user.large"), new Uint8Array(4100)]]);

test("seal refuses a file in /etc that no disk can hold, before anything is made", async () => {
  const header = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_600_000_000n };
  const source = await sealableImage(scratch, [
    { header: { ...header, kind: "file", path: name("etc/large"), xattrs: large }, body: Buffer.from("text") },
  ]);
  const { exitCode, err } = await run("seal", source, "-o", `oci:${join(scratch, "out")}:sealed`, "--unsigned");
  assert.match(err, /^sealroot: Cannot put "\/etc\/large" on a disk: its extended attributes have more than 4 KiB$/m);
  assert.equal(exitCode, 1);
  assert.deepEqual(
    readdirSync(scratch).filter((entry) => entry.startsWith("out")),
    [],
  );
});

function imageWith(folder: string, node: TreeNode): DirectoryNode {
  const image = newDirectory();
  for (const each of ["etc", "usr", "var"]) image.entries.set(name(each), newDirectory());
  const parent = image.entries.get(name(folder));
  if (parent?.kind === "directory") parent.entries.set(name("odd\nname"), node);
  return image;
}

test("only /etc and /var are looked at, and of attributes only those that hosts keep", () => {
  const fifo = (xattr: string): TreeNode => {
    const xattrs = new Map([[name(xattr), new Uint8Array(4100)]]);
    return { kind: "fifo", metadata: newMetadata({ mode: 0o600, xattrs }) };
  };
  assert.throws(() => checkState(imageWith("var", fifo("user.large"))), {
    code: "unsupported",
    message: 'Cannot put "/var/odd\\nname" on a disk: its extended attributes have more than 4 KiB',
  });
  assert.doesNotThrow(() => checkState(imageWith("usr", fifo("user.large"))));
  assert.doesNotThrow(() => checkState(imageWith("etc", fifo("trusted.large"))));
  const socket: TreeNode = { kind: "socket", metadata: newMetadata({ mode: 0o600 }) };
  assert.doesNotThrow(() => checkState(imageWith("var", socket)));
});
