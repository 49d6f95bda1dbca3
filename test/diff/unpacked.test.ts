/** What GNU tar makes of layers, held against what they are merged to. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ByteString } from "../../src/bytes/index.ts";
import { run } from "../cli/run-verb.ts";
import { imageOfTars } from "../imagestore/hand-made.ts";
import { directory, type Fields, file, hardLink, symlink, tarOf } from "./planted.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-diff-unpacked-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);

/** Whoever runs this may set. */
const OWN: Fields = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const folder = (path: string) => directory(path, OWN);
const text = (path: string, content = "") => file(path, content, OWN);

const SYSTEM = [
  ...[".", "boot", "sysroot", "usr", "usr/lib", "usr/lib/system"].map(folder),
  text("usr/lib/system/a", "a"),
  folder("usr/lib/system-preset"),
  text("usr/lib/system-preset/b", "b"),
  hardLink("usr/lib/system-preset/link", "usr/lib/system/a"),
  symlink("usr/lib/system-preset/symlink", "b", OWN),
  folder("usr/share"),
  text("usr/share/old", "old"),
];

function unpack(tars: readonly Buffer[], target: string): void {
  mkdirSync(target);
  for (const tar of tars) {
    const { status, stderr } = spawnSync("tar", ["--extract", "--preserve-permissions", "--directory", target], {
      input: tar,
    });
    assert.equal(status, 0, String(stderr));
  }
}

async function lines(layers: readonly (typeof SYSTEM)[], name: string): Promise<{ exitCode: number; lines: string[] }> {
  const tars = await Promise.all(layers.map(tarOf));
  unpack(tars, at(`${name}-root`));
  const reference = imageOfTars(at(name), tars);
  const { exitCode, out, err } = await run("diff", reference, at(`${name}-root`), "--insecure-policy");
  assert.equal(err, "");
  // The time of the unpacking is now.
  const [, differences = ""] = out.split("\n\n");
  return { exitCode, lines: differences.replaceAll(/→ 20[^ ]*Z/g, "→ NOW").split("\n") };
}

const TIME = "2023-11-14T22:13:20.000000005Z";

test("diff of an image and what GNU tar unpacks of it: nothing, in the order of a walk", async () => {
  const { exitCode } = await lines([SYSTEM], "walk");
  assert.equal(exitCode, 0);
});

test("diff names the directories whose time GNU tar leaves at that of the unpacking, and the whiteout that it keeps", async () => {
  const found = await lines(
    [
      [...SYSTEM, text("usr/lib/system/returned")],
      [text("usr/lib/system-preset/unlisted"), folder("usr/share"), text("usr/share/.wh.old")],
    ],
    "unlisted",
  );
  assert.deepEqual(found, {
    exitCode: 1,
    lines: [
      "/usr/lib/system",
      `  mtime: ${TIME} → NOW  (directory-time-returned)`,
      '    A: layer 1 has "/usr/lib/system/returned"',
      "/usr/lib/system-preset",
      `  mtime: ${TIME} → NOW  (directory-time-unlisted)`,
      '    A: layer 2 has "/usr/lib/system-preset/unlisted"',
      "/usr/share/.wh.old",
      "  entry: none → file of 0 bytes  (whiteout-file)",
      "/usr/share/old",
      "  entry: none → file of 3 bytes  (whiteout-not-applied)",
      "    A: layer 2 removes it",
    ],
  });
});

const STATUS = (version: string) =>
  `Package: tool\nStatus: install ok installed\nVersion: ${version}\nArchitecture: all\n`;
const withPackages = (version: string, tool: string) => [
  ...SYSTEM,
  ...["usr/lib/sysimage", "usr/lib/sysimage/dpkg", "usr/lib/sysimage/dpkg/info", "usr/bin"].map(folder),
  symlink("bin", "usr/bin", OWN),
  text("usr/lib/sysimage/dpkg/status", STATUS(version)),
  text("usr/lib/sysimage/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n"),
  text("usr/bin/tool", tool),
];

test("diff says which packages changed, and whose the files are that differ", async () => {
  const layers = [withPackages("1", "one"), withPackages("2", "second")];
  const references = await Promise.all(
    layers.map(async (members, index) => imageOfTars(at(`packages-${index}`), [await tarOf(members)])),
  );
  const { exitCode, out } = await run("diff", ...references, "--insecure-policy");
  assert.equal(exitCode, 1);
  const [, differences, packages] = out.split("\n\n");
  assert.ok(
    differences?.startsWith('/usr/bin/tool  [tool]\n  size: 3 → 6  (size)\n  content: "one" → "second"  (content)\n'),
    out,
  );
  assert.equal(packages, "packages:\n  dpkg: tool 1 → 2\ndifferences by package:\n  tool: 2 differences, +3 B");
});

test("diff --json and --html say the same, and bytes of names stay bytes", async () => {
  const odd = "usr/share/<img src=x onerror=alert(1)>&\xff\n" as ByteString;
  const plain = text("x");
  const strange = { ...plain, header: { ...plain.header, path: odd } };
  const references = [
    imageOfTars(at("page-a"), [await tarOf(SYSTEM)]),
    imageOfTars(at("page-b"), [await tarOf([...SYSTEM, strange])]),
  ];
  const page = at("page.html");
  writeFileSync(page, "old");
  const { exitCode, out } = await run("diff", ...references, "--insecure-policy", "--json", "--html", page);
  assert.equal(exitCode, 1);
  const { equal, differences } = JSON.parse(out);
  assert.equal(equal, false);
  assert.deepEqual(differences, [
    {
      path: "/usr/share/<img src=x onerror=alert(1)>&\\xff\\x0a",
      field: "entry",
      xattr: null,
      a: null,
      b: "file of 0 bytes",
      counts: true,
      rule: "entry",
      because: null,
      package: null,
    },
  ]);
  const html = readFileSync(page, "utf8");
  assert.doesNotMatch(html, /<(?:script|img)/);
  assert.ok(html.includes("<code>/usr/share/&lt;img src=x onerror=alert(1)&gt;&amp;\\xff\\x0a</code>"), html);
  assert.match(html, /^<!DOCTYPE html>/);
  assert.doesNotMatch(html, /(?:src|href)="(?!#)/, "nothing from elsewhere");
});
