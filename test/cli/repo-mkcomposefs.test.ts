import assert from "node:assert/strict";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { readErofs } from "../../src/erofs/index.ts";
import { formatDump } from "../../src/tree/index.ts";
import type { Output } from "../../src/verbs/index.ts";
import { verityDigest } from "../../src/verity/index.ts";
import { readVector } from "../erofs/vectors.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-mkcomposefs-"));
after(() => rmSync(scratch, { recursive: true }));

async function mkcomposefs(...words: string[]): Promise<{ code: number; out: Buffer; err: string }> {
  const out: Uint8Array[] = [];
  let err = "";
  const output: Output = {
    line: (text) => out.push(Buffer.from(`${text}\n`)),
    bytes: async (chunk) => {
      out.push(chunk);
    },
    json: () => assert.fail("no JSON expected"),
    remark: (text) => {
      err += `${text}\n`;
    },
  };
  const code = await main(["repo", "mkcomposefs", ...words], output);
  return { code, out: Buffer.concat(out), err };
}

const DUMP = new URL("../vectors/erofs/v08-whiteout-dirs.dump", import.meta.url).pathname;
const { results } = JSON.parse(readVector("v08-whiteout-dirs.json").toString());
const digestOf = (column: string): string => results[column].fsverity_sha256;

test("repo mkcomposefs --from-file writes the image and prints its digest", async () => {
  const image = join(scratch, "image.erofs");
  const { code, out, err } = await mkcomposefs("--from-file", "--print-digest", DUMP, image);
  assert.deepEqual([code, out.toString(), err], [0, `${digestOf("c-default")}\n`, ""]);
  assert.ok(readFileSync(image).equals(readVector("v08-whiteout-dirs.c-default.erofs.gz")));
});

test("repo mkcomposefs writes to standard output", async () => {
  const { code, out } = await mkcomposefs("--from-file", "--erofs-version", "2", DUMP, "-");
  assert.equal(code, 0);
  assert.ok(out.equals(readVector("v08-whiteout-dirs.rs-v2.erofs.gz")));
});

test("repo mkcomposefs takes version bounds as mkcomposefs does", async () => {
  const cases: [words: string[], column: string][] = [
    [[], "c-default"],
    [["--min-version=0", "--max-version=1"], "c-default"],
    [["--max-version=1"], "c-default"],
    [["--min-version=0", "--max-version=0"], "c-v0"],
    [["--min-version=0"], "c-v0"],
    [["--max-version=0"], "c-v0"],
    [["--min-version=1"], "c-v1"],
    [["--erofs-version=0"], "c-v0"],
    [["--erofs-version=1"], "c-v1"],
    [["--erofs-version=2"], "rs-v2"],
  ];
  for (const [words, column] of cases) {
    const { out } = await mkcomposefs("--from-file", "--print-digest-only", ...words, DUMP);
    assert.equal(out.toString(), `${digestOf(column)}\n`, words.join(" "));
  }
});

function sampleDirectory(): string {
  const directory = mkdtempSync(join(scratch, "source-"));
  mkdirSync(join(directory, "d"), { mode: 0o750 });
  writeFileSync(join(directory, "d/big"), "b".repeat(5000));
  linkSync(join(directory, "d/big"), join(directory, "d/link"));
  writeFileSync(join(directory, "small"), "s");
  symlinkSync("small", join(directory, "sym"));
  return directory;
}

test("repo mkcomposefs of a directory breaks hard links, stores larger files and can forget times", async () => {
  const source = sampleDirectory();
  const store = join(scratch, "store");
  const image = join(scratch, "directory.erofs");
  const { code, err } = await mkcomposefs("--use-epoch", "--digest-store", store, source, image);
  assert.deepEqual([code, err], [0, ""]);
  const digest = verityDigest(Buffer.from("b".repeat(5000)), "sha256");
  assert.deepEqual(readdirSync(store), [digest.slice(0, 2)]);
  assert.equal(readFileSync(join(store, digest.slice(0, 2), digest.slice(2)), "latin1"), "b".repeat(5000));
  const dump = Buffer.from(formatDump(readErofs(readFileSync(image)).root)).toString();
  const paths = dump.split("\n").map((line) => line.split(" ").slice(0, 4).join(" "));
  assert.deepEqual(paths.slice(1, -1), [
    "/d 0 40750 2",
    "/d/big 5000 100644 1",
    "/d/link 5000 100644 1",
    "/small 1 100644 1",
    "/sym 5 120777 1",
  ]);
  assert.ok(dump.split("\n").every((line) => line === "" || line.split(" ")[7] === "0.0"));
});

test("repo mkcomposefs --hardlinks keeps hard links", async () => {
  const { out } = await mkcomposefs("--hardlinks", sampleDirectory(), "-");
  assert.match(
    Buffer.from(formatDump(readErofs(out).root)).toString(),
    /^\/d\/link 0 @120000 - - - - 0\.0 \/d\/big - -$/m,
  );
});

test("repo mkcomposefs refuses what does not fit together", async () => {
  const cases: [words: string[], code: number, message: RegExp][] = [
    [["--from-file", DUMP], 2, /IMAGE is missing/],
    [["--from-file", "--print-digest-only", DUMP, "out"], 2, /IMAGE is one argument too many/],
    [["--from-file", "--print-digest", DUMP, "-"], 2, /standard output takes the image/],
    [
      ["--from-file", "--skip-devices", "--print-digest-only", DUMP],
      2,
      /^sealroot: --from-file and --skip-devices exclude each other$/m,
    ],
    [
      ["--skip-xattrs", "--user-xattrs", "--print-digest-only", scratch],
      2,
      /^sealroot: --user-xattrs and --skip-xattrs exclude each other$/m,
    ],
    [
      ["--min-version=1", "--erofs-version=1", "--print-digest-only", DUMP],
      2,
      /^sealroot: --erofs-version and --min-version exclude each other$/m,
    ],
    [["--from-file", "--print-digest-only", join(scratch, "absent")], 1, /^sealroot: Cannot read dump text .*ENOENT/],
    [["--from-file", DUMP, join(scratch, "no/image")], 1, /^sealroot: Cannot write image .*ENOENT/],
  ];
  for (const [words, code, message] of cases) {
    const result = await mkcomposefs(...words);
    assert.equal(result.code, code, words.join(" "));
    assert.match(result.err, message);
  }
});

test("repo mkcomposefs takes times before 1970, as mkcomposefs and our create-dumpfile do", async () => {
  const dump = join(scratch, "negative.dump");
  writeFileSync(
    dump,
    "/ 0 40755 2 0 0 0 1000.0 - - -\n/a 0 100644 1 0 0 0 -5.0 - - -\n/b 0 100644 1 0 0 0 -10000000000.7 - - -\n/c 0 100644 1 0 0 0 3.7 - - -\n",
  );
  const { out } = await mkcomposefs("--from-file", "--print-digest-only", dump);
  // What composefs 1.0.8 prints.
  assert.equal(out.toString(), "89cabdb4bcd61c2948c7d0e9fdda1134b7252ff71bcb0a3eb7b8ffee26879621\n");
});

test("repo mkcomposefs leaves no file behind for dump text it cannot read", async () => {
  const bad = join(scratch, "bad.dump");
  writeFileSync(bad, "/ 0 40755 2 0 0 0 1.0 - - -\n/a 0 644 1 0 0 0 1.0 - - -\n");
  const { code, err } = await mkcomposefs("--from-file", bad, join(scratch, "never.erofs"));
  assert.equal(code, 1);
  assert.equal(err, "sealroot: Cannot parse dump file: line 2: mode 644 has no known file type\n");
  assert.ok(!readdirSync(scratch).some((name) => name.includes("never")));
});
