import assert from "node:assert/strict";
import { test } from "node:test";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { readFileOwners } from "../../src/packages/index.ts";
import type { FileContent } from "../../src/tree/index.ts";
import { type TreeItem, treeOf } from "../tree/tree-of.ts";
import { dpkgPackage } from "../update/planned-updates.ts";
import { rpmHeader } from "./rpm-database.ts";
import { sqliteDatabase } from "./sqlite-database.ts";

const read = (content: FileContent) => (content.type === "inline" ? content.bytes : assert.fail("not inline"));

async function ownersIn(items: Readonly<Record<string, TreeItem>>, ...paths: string[]) {
  const owners = await readFileOwners(treeOf(items), read);
  return paths.map((path) => owners.ownerOf(byteStringOfText(path)));
}

test("dpkg: lists of packages, through links of the root; what several own is nobody's", async () => {
  const items = {
    "var/lib/dpkg/status": dpkgPackage("bash", "5"),
    "var/lib/dpkg/info/bash.list": "/.\n/bin\n/bin/bash\n/usr\n/usr/share/ü\n",
    "var/lib/dpkg/info/libc6:amd64.list": "/.\n/usr\n/lib/libc.so\n",
    "var/lib/dpkg/info/bash.md5sums": "0 /etc/no-list",
    "usr/bin": undefined,
    "usr/lib": undefined,
    bin: { link: "usr/bin" },
    lib: { link: "/usr/lib" },
  };
  assert.deepEqual(
    await ownersIn(
      items,
      "/usr/bin/bash",
      "/usr/lib/libc.so",
      "/usr/share/ü",
      "/usr",
      "/bin",
      "/etc/no-list",
      "/bin/bash",
    ),
    ["bash", "libc6", "bash", undefined, "bash", undefined, undefined],
  );
});

test("dpkg: sums of an image without lists", async () => {
  const items = {
    "var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12\n",
    "var/lib/dpkg/status.d/base.md5sums": `${"0".repeat(32)}  etc/issue\nno sum\n`,
  };
  assert.deepEqual(await ownersIn(items, "/etc/issue", "/etc/other"), ["base", undefined]);
});

/** Arrays of strings and numbers, as rpm has files. */
function fileHeader(
  name: string,
  directories: readonly string[],
  files: readonly (readonly [number, string])[],
): Buffer {
  return rpmHeader([
    [1000, name],
    [1116, files.map(([index]) => index)],
    [1117, files.map(([, base]) => base)],
    [1118, directories],
  ]);
}

const database = (...headers: Buffer[]) =>
  sqliteDatabase({ pageBytes: 4096, rows: headers.map((header) => [header]), columns: "blob BLOB" });

test("rpm: base names in directories", async () => {
  const bash = fileHeader(
    "bash",
    ["/usr/bin/", "/etc/"],
    [
      [0, "bash"],
      [1, "profile"],
    ],
  );
  const setup = fileHeader(
    "setup",
    ["/etc/"],
    [
      [0, "profile"],
      [0, "passwd"],
    ],
  );
  const items = { "usr/share/rpm/rpmdb.sqlite": database(bash, setup) };
  assert.deepEqual(await ownersIn(items, "/usr/bin/bash", "/etc/profile", "/etc/passwd"), ["bash", undefined, "setup"]);
});

test("what cannot be read owns nothing", async () => {
  const broken = fileHeader("bash", ["/usr/bin/"], [[7, "bash"]]);
  for (const bytes of [database(broken), database(Buffer.from([1, 2])), Buffer.from("nonsense")]) {
    assert.deepEqual(await ownersIn({ "usr/share/rpm/rpmdb.sqlite": bytes }, "/usr/bin/bash"), [undefined]);
  }
});
