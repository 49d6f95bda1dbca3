import assert from "node:assert/strict";
import { test } from "node:test";
import { OBJECTS_PATH } from "../../src/bootplan/index.ts";
import { byteStringOfText, displayText } from "../../src/bytes/index.ts";
import {
  formatOrigin,
  initialState,
  parseOrigin,
  REPOSITORY_PATH,
  targetReference,
} from "../../src/deployment/index.ts";
import { withPinned } from "../../src/deployment/origin.ts";
import { originPath } from "../../src/deployment/paths.ts";
import { treeEntries } from "../../src/disk/index.ts";
import { type DirectoryNode, type FileNode, newDirectory, newMetadata } from "../../src/tree/index.ts";

const ID = "ab".repeat(64);
const ORIGIN = {
  imageReference: "docker://quay.io/example/os:latest",
  bootType: "uki",
  bootDigest: "cd".repeat(32),
  manifestDigest: `sha256:${"ef".repeat(32)}`,
  pinned: false,
} as const;
const ORIGIN_TEXT = `[origin]
container-image-reference = ostree-unverified-image:docker://quay.io/example/os:latest

[boot]
boot_type = uki
digest = ${"cd".repeat(32)}

[image]
manifest_digest = sha256:${"ef".repeat(32)}
`;

test("an origin file has upstream's form to the byte, and is read back", () => {
  assert.equal(formatOrigin(ORIGIN), ORIGIN_TEXT);
  assert.deepEqual(parseOrigin(ORIGIN_TEXT, "x.origin"), ORIGIN);
});

test("pinning changes one section of an origin file, and unpinning takes it away", () => {
  const text = `# by hand\n${ORIGIN_TEXT}\n[other]\n  key=\xff value\r\n`;
  const pinned = withPinned(text, true, "x.origin");
  assert.equal(pinned, `${text}\n[sealroot]\npinned = true\n`);
  assert.equal(withPinned(pinned, true, "x.origin"), pinned);
  assert.equal(withPinned(pinned, false, "x.origin"), text);
  assert.equal(withPinned(text, false, "x.origin"), text);
  assert.equal(formatOrigin({ ...ORIGIN, pinned: true }), `${ORIGIN_TEXT}\n[sealroot]\npinned = true\n`);
  assert.deepEqual(parseOrigin(pinned, "x.origin"), { ...ORIGIN, pinned: true });
  assert.throws(() => withPinned("[a]\n", true, "x.origin"), { code: "corrupt" });
});

test("other spellings of the reference are read", () => {
  const withReference = (text: string) =>
    parseOrigin(ORIGIN_TEXT.replace(/ostree-unverified-image:\S+/, text), "x.origin").imageReference;
  assert.equal(withReference("ostree-unverified-registry:quay.io/a/b"), "docker://quay.io/a/b");
  assert.equal(withReference("ostree-image-signed:docker://quay.io/a/b"), "ostree-image-signed:docker://quay.io/a/b");
});

test("an origin file without boot type or reference is refused", () => {
  assert.throws(() => parseOrigin(ORIGIN_TEXT.replace("boot_type = uki\n", ""), "x.origin"), {
    code: "corrupt",
    message: "Cannot read origin file x.origin: boot_type is missing",
  });
  assert.throws(() => parseOrigin("[boot]\nboot_type = uki\n", "x.origin"), {
    message: "Cannot read origin file x.origin: container-image-reference is missing",
  });
});

test("the target reference follows the options and defaults to the source", () => {
  assert.equal(targetReference("oci:dir", undefined, "registry"), "oci:dir");
  assert.equal(targetReference("oci:dir", "quay.io/a/b:c", "registry"), "docker://quay.io/a/b:c");
  assert.equal(targetReference("oci:dir", "docker://quay.io/a/b", "registry"), "docker://quay.io/a/b");
  assert.equal(targetReference("oci:dir", "/srv/os", "oci"), "oci:/srv/os");
  assert.throws(() => targetReference("oci:dir", "x", "ftp"), { code: "usage" });
});

test("an origin file of every boot type is read, and written again as it was", () => {
  for (const bootType of ["bls", "uki", "aboot"] as const) {
    const text = ORIGIN_TEXT.replace("boot_type = uki", `boot_type = ${bootType}`);
    assert.equal(parseOrigin(text, "x.origin").bootType, bootType);
    assert.equal(formatOrigin(parseOrigin(text, "x.origin")), text);
  }
  for (const wrong of ["", "UKI", "aboot2", "android"]) {
    assert.throws(() => parseOrigin(ORIGIN_TEXT.replace("boot_type = uki", `boot_type = ${wrong}`), "x.origin"), {
      code: "corrupt",
      message: `Cannot read origin file x.origin: boot_type is ${wrong}`,
    });
  }
});

function image(): DirectoryNode {
  const directory = (mode: number, entries: [string, DirectoryNode | FileNode][]) => {
    const node = newDirectory(newMetadata({ mode, mtimeSeconds: 7n }));
    for (const [name, child] of entries) node.entries.set(byteStringOfText(name), child);
    return node;
  };
  const file = (mode: number, uid: number): FileNode => ({
    kind: "file",
    metadata: newMetadata({ mode, uid }),
    content: { type: "inline", bytes: Buffer.from("x") },
  });
  const shared = file(0o640, 42);
  return directory(0o755, [
    [
      "etc",
      directory(0o751, [
        [".updated", file(0o644, 0)],
        ["one", shared],
        ["two", shared],
      ]),
    ],
    ["var", directory(0o755, [["tmp", directory(0o1777, [])]])],
    ["usr", directory(0o755, [])],
  ]);
}

test("the first state has /etc without its stamp, the shared /var, the link and the origin file", () => {
  const state = initialState({ image: image(), record: { deploymentId: ID, origin: ORIGIN }, epochSeconds: 99 });
  const entries = treeEntries(state, (content) =>
    content.type === "inline" ? Buffer.from(content.bytes).toString() : "",
  );
  const described = entries.map((entry) => {
    const path = displayText(entry.path);
    if (entry.kind === "hard-link") return `${path} = ${displayText(entry.existing)}`;
    const { mode, uid, mtimeSeconds } = entry.metadata;
    const target = entry.kind === "symlink" ? ` -> ${displayText(entry.target)}` : "";
    return `${path} ${entry.kind} ${mode.toString(8)} ${uid} ${mtimeSeconds}${target}`;
  });
  assert.deepEqual(described, [
    "deploy directory 755 0 99",
    `deploy/${ID} directory 755 0 99`,
    `deploy/${ID}/${ID}.origin file 644 0 99`,
    `deploy/${ID}/etc directory 751 0 7`,
    `deploy/${ID}/etc/one file 640 42 0`,
    `deploy/${ID}/etc/two = deploy/${ID}/etc/one`,
    `deploy/${ID}/var symlink 777 0 99 -> ../../os/default/var`,
    "os directory 755 0 99",
    "os/default directory 755 0 99",
    "os/default/var directory 755 0 7",
    "os/default/var/tmp directory 1777 0 7",
  ]);
  const origin = entries.find((entry) => entry.path.endsWith(".origin"));
  assert.equal(origin?.kind === "file" && origin.source, ORIGIN_TEXT);
  assert.equal(originPath(ID), `state/deploy/${ID}/${ID}.origin`);
});

test("an image without /etc and /var gets empty ones", () => {
  const state = initialState({ image: newDirectory(), record: { deploymentId: ID, origin: ORIGIN }, epochSeconds: 1 });
  const paths = treeEntries(state, () => "").map((entry) => displayText(entry.path));
  assert.ok(paths.includes(`deploy/${ID}/etc`) && paths.includes("os/default/var"));
});

test("the repository is where the boot program looks for its objects", () => {
  assert.equal(OBJECTS_PATH, `${REPOSITORY_PATH}/objects`);
});
