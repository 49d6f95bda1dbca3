import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { reportFailure } from "../../src/cli/failure-report.ts";
import { describeError, SealrootError } from "../../src/errors/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { run } from "./run-verb.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");

/** What a failure prints on standard output and standard error, and the exit code. */
function reported(error: unknown, asJson: boolean) {
  let [out, err] = ["", ""];
  const exitCode = reportFailure(error, asJson, {
    line: () => {},
    bytes: async () => {},
    json: (value) => {
      out += JSON.stringify(value);
    },
    remark: (text) => {
      err += `${text}\n`;
    },
  });
  return { exitCode, out, err };
}

const DAMAGED = new SealrootError("corrupt", "Cannot use the root image: wrong digest", {
  path: "images/os",
  offset: 4096,
  line: 3,
  step: "write image",
  expected: "sha512:aa",
  actual: "sha512:bb",
  hint: "run sealroot repo fsck",
});

test("all that an error knows is told: place, step, expected, found, way out", () => {
  assert.deepEqual(reported(DAMAGED, false), {
    exitCode: 1,
    out: "",
    err: [
      "sealroot: Cannot use the root image: wrong digest",
      "  where:    images/os, line 3, offset 4096",
      "  during:   write image",
      "  expected: sha512:aa",
      "  found:    sha512:bb",
      "  run sealroot repo fsck",
      "",
    ].join("\n"),
  });
});

test("with --json the error takes the result's place, the exit code is the same", () => {
  assert.deepEqual(reported(DAMAGED, true), {
    exitCode: 1,
    out: JSON.stringify({
      error: {
        code: "corrupt",
        message: "Cannot use the root image: wrong digest",
        ...{ path: "images/os", offset: 4096, line: 3, step: "write image" },
        ...{ expected: "sha512:aa", actual: "sha512:bb", hint: "run sealroot repo fsck" },
      },
    }),
    err: "",
  });
  assert.equal(reported(new SealrootError("usage", "x"), true).exitCode, 2);
});

test("the step is not told of wrong usage", () => {
  assert.deepEqual(describeError(new SealrootError("usage", "m", { step: "s", path: "p" })), ["m", "  where:    p"]);
});

test("a failure that nobody foresaw is told in one sentence, and how to see more", () => {
  assert.equal(
    reported(new TypeError("x is not\na function"), false).err,
    "sealroot: Unexpected failure: x is not\\na function\n" +
      "  SEALROOT_DEBUG=1 in the environment shows where; please report it\n",
  );
});

test("describeError() does not repeat a place that the sentence names, and no value can forge a line", () => {
  const named = new SealrootError("not-found", "Cannot open /dev/sda1: gone", { path: "/dev/sda1" });
  assert.deepEqual(describeError(named), ["Cannot open /dev/sda1: gone"]);
  const other = new SealrootError("not-found", "Cannot open /dev/sda1: gone", { path: "/dev/sda" });
  assert.deepEqual(describeError(other), ["Cannot open /dev/sda1: gone", "  where:    /dev/sda"]);
  const digest = "ab".repeat(32);
  const told = { path: "/r", expected: digest, actual: "12" };
  assert.deepEqual(describeError(new SealrootError("corrupt", `Cannot use images/${digest} of /r: 12 bytes`, told)), [
    `Cannot use images/${digest} of /r: 12 bytes`,
    "  found:    12",
  ]);
  const printed = new SealrootError("failed", "Cannot boot", { output: ["a\nb", "c"], hint: "look" });
  assert.deepEqual(describeError(printed), ["Cannot boot", "  printed:", "    a\\nb", "    c", "  look"]);
  const forged = new SealrootError("corrupt", "m", { path: "a\nb", expected: "\x1b[2J", actual: "x".repeat(5000) });
  assert.deepEqual(describeError(forged), [
    "m",
    "  where:    a\\nb",
    "  expected: \\u001b[2J",
    `  found:    ${"x".repeat(5000)}`.slice(0, 1999).concat("…"),
  ]);
  assert.deepEqual(describeError("text"), ["text"]);
});

test("a verb's error reaches the person with its data, or the program as JSON", async () => {
  using directory = temporaryDirectory();
  const dump = join(directory.path, "tree.dump");
  writeFileSync(dump, "/ 0 40755 2 0 0 0 0.0 - - -\n/a 0 4x755 1 0 0 0 0.0 - - -\n");
  const text = await run("repo", "mkcomposefs", "--from-file", "--print-digest-only", dump);
  assert.deepEqual([text.exitCode, text.out], [1, ""]);
  assert.match(text.err, /^sealroot: Cannot parse dump file: line 2: /);

  mkdirSync(join(directory.path, "empty"));
  const missing = await run("keys", "list", "--json", join(directory.path, "none"));
  assert.deepEqual([missing.exitCode, missing.err], [1, ""]);
  const { error } = JSON.parse(missing.out);
  assert.deepEqual([error.code, error.path], ["not-found", join(directory.path, "none")]);
});

test("no verb answers a path of the wrong kind with a failure that nobody foresaw", async () => {
  using directory = temporaryDirectory();
  const at = (name: string) => join(directory.path, name);
  for (const name of ["boot", "sysroot", "usr"]) mkdirSync(at(`dir/${name}`), { recursive: true });
  writeFileSync(at("file"), "");
  const [file, dir, none, repo] = [at("file"), at("dir"), at("none"), ["--repo", at("repo")]];
  assert.equal((await run("repo", "init", "--insecure", ...repo)).exitCode, 0);
  const cases = [
    ["container", "compute-composefs-digest", file],
    ["container", "compute-composefs-digest", dir, "--write-dumpfile-to", join(none, "x")],
    ["container", "compute-composefs-digest", dir, "--write-dumpfile-to", dir],
    ["image", "pull", ...repo, `oci:${file}`, "x"],
    ["image", "pull", ...repo, `oci-archive:${dir}`, "x"],
    ["image", "pull", ...repo, `docker-archive:${dir}`, "x"],
    ["image", "pull", ...repo, `dir:${file}`, "x"],
    ["image", "pull", ...repo, "--policy", dir, `oci:${dir}`],
    ["image", "pull", ...repo, "--authfile", dir, "docker://localhost:1/x"],
    ["image", "pull", ...repo, "--registries-conf", dir, "docker://localhost:1/x"],
    ["image", "pull", ...repo, "--cert-dir", file, "docker://localhost:1/x"],
    ["image", "copy", `oci:${dir}`, `oci:${file}`],
    ["image", "list", "--repo", file],
    ["repo", "init", "--insecure", file],
    ["repo", "init", "--insecure", join(file, "x")],
    ["repo", "fsck", "--repo", none],
    ["repo", "create-image", ...repo, file],
    ["repo", "compute-id", none],
    ["repo", "mkcomposefs", dir, join(none, "x")],
    ["repo", "mkcomposefs", "--digest-store", file, dir, at("x")],
    ["repo", "mkcomposefs", "--from-file", dir, at("x")],
    ["repo", "gc", ...repo, "--root", "../x"],
    ["keys", "generate", join(file, "x")],
    ["keys", "list", file],
    ["seal", `oci:${dir}`, "-o", `oci:${at("y")}`, "--keys", file],
    ["seal", `oci:${dir}`, "-o", `oci:${at("y")}`, "--unsigned", "--loader", dir],
    ["seal", "attach", `oci:${dir}`, dir, "-o", `oci:${at("y")}`],
    ["install", "to-disk", at("disk"), "--source-imgref", `oci:${dir}`, "--size", "4G"],
    ["install", "print-configuration", "--root", file],
    ["vm", "run", join(file, "x")],
    ["vm", "run", "/dev/null"],
  ];
  for (const words of cases) {
    const { exitCode, err } = await run(...words);
    assert.ok(exitCode === 1 || exitCode === 2 || words[1] === "print-configuration", words.join(" "));
    assert.doesNotMatch(err, /Unexpected failure/, words.join(" "));
  }
});

test("wrong words are JSON too where --json is among them", async () => {
  for (const words of [
    ["keys", "list", "--json", "--nonsense"],
    ["statsu", "--json"],
    ["image", "list", "--json=x"],
  ]) {
    const { exitCode, out, err } = await run(...words);
    assert.deepEqual([exitCode, err, JSON.parse(out).error.code], [2, "", "usage"], words.join(" "));
  }
  // After "--" it is an argument.
  assert.match((await run("keys", "list", "--nonsense", "--", "--json")).err, /^sealroot: unknown option '--nonsense'/);
});

test("what is wrong is said before what is missing", async () => {
  const cases: [string[], string][] = [
    [["seal", "--nonsense"], "unknown option '--nonsense'"],
    [["seal", "oci:a", "--initramfs", "none"], "option '--initramfs <CARRIER>' argument 'none' is invalid. Allowed"],
    [["seal", "oci:a"], "required option '-o, --output <IMAGE>' not specified"],
    [["seal"], "missing required argument 'IMAGE'"],
    [["completion", "--nonsense"], "unknown option '--nonsense'"],
    [["install", "to-disk", "--size", "much"], 'Cannot read --size: "much" is not a size'],
    [["install", "to-disk", "d", "--root-size", "-1"], 'Cannot read --root-size: "-1" is not a size'],
    [["vm", "run", "--memory", "much"], 'Cannot read --memory: "much" is not a size'],
    [["vm", "run", "--cpus", "0"], 'Cannot read --cpus: "0" is not a number from 1 to 999'],
    [["vm", "run", "--timeout", "soon"], 'Cannot read --timeout: "soon" is not a number from 1 to 86400'],
    [["keys", "generate", "--days", "x"], 'Cannot read --days: "x" is not a number from 1 to 999999'],
    [["image", "pull", "--layer-limit", "x"], 'Cannot read --layer-limit: "x" is not a size'],
    [["image", "pull", "--creds", "nobody"], "Cannot log in: --creds is not USER:PASSWORD"],
    [["image", "pull", "--progress-fd", "1"], 'Cannot report progress on file descriptor "1"'],
  ];
  for (const [words, sentence] of cases) {
    const { exitCode, out, err } = await run(...words);
    assert.deepEqual([exitCode, out], [2, ""], words.join(" "));
    assert.ok(err.startsWith(`sealroot: ${sentence}`), `${words.join(" ")}: ${err}`);
  }
});

test("an unknown verb suggests the nearest, or the help", async () => {
  const cases: [string[], string, string][] = [
    [["frobnicate", "x"], 'There is no verb "frobnicate"', "run: sealroot --help"],
    [
      ["image", "pul", "oci:x"],
      'There is no verb "image pul"',
      "did you mean sealroot image pull? sealroot image --help lists what there is",
    ],
    [["imgae", "list"], 'There is no verb "imgae"', "did you mean sealroot image? sealroot --help lists what there is"],
    [
      ["cat-file"],
      'There is no verb "cat-file"',
      "did you mean sealroot repo cat-file? sealroot --help lists what there is",
    ],
    [["sela", "oci:x"], 'There is no verb "sela"', "did you mean sealroot seal? sealroot --help lists what there is"],
    [
      ["repo", "--repo", "R", "fsck"],
      'Cannot read "--repo" there: options follow the verb',
      "run: sealroot repo --help",
    ],
    [["--json", "keys"], 'Cannot read "--json" there: options follow the verb', "run: sealroot --help"],
    [["--hlp"], 'There is no option "--hlp"', "run: sealroot --help"],
    [[""], 'There is no verb ""', "run: sealroot --help"],
  ];
  for (const [words, sentence, hint] of cases) {
    const { exitCode, out, err } = await mainAlone(...words);
    assert.deepEqual([exitCode, out + err], [2, `sealroot: ${sentence}\n  ${hint}\n`], words.join(" "));
  }
});

/** Like `run`, without the --quiet that would take the place of a verb. */
async function mainAlone(...words: string[]) {
  const { main } = await import("../../src/cli/main.ts");
  let [out, err] = ["", ""];
  const exitCode = await main(words, {
    line: () => {},
    bytes: async () => {},
    json: (value) => {
      out += String(
        value && JSON.stringify(value).replace(/^.*"message":"(.*)","hint":"(.*)".*$/, "sealroot: $1\n  $2\n"),
      );
    },
    remark: (text) => {
      err += `${text}\n`;
    },
  });
  return { exitCode, out: out.replaceAll('\\"', '"'), err };
}

test("verbs that are not there yet say so, and what there is", async () => {
  assert.deepEqual(await mainAlone("edit"), {
    exitCode: 1,
    out: "",
    err:
      'sealroot: Cannot run "edit": sealroot does not have this verb yet\n' +
      "  sealroot upgrade and sealroot switch change the running host\n",
  });
  for (const words of [
    ["edit", "--filename"],
    ["install", "reset", "/"],
    ["install", "to-filesystem", "/"],
  ]) {
    const { exitCode, err } = await mainAlone(...words);
    assert.deepEqual([exitCode, /does not have this verb yet\n {2}sealroot /.test(err)], [1, true], words.join(" "));
  }
});

/** Runs the real process with its streams where `shell` puts them. */
function shell(script: string) {
  const env = { ...process.env, MAIN, NODE: process.execPath };
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8", env });
  return { status, stdout, stderr };
}

const FULL = "sealroot: Cannot write to standard output: no space is left there\n";

test("a full standard output is one line and exit code 1, for lines, bytes, JSON and help", () => {
  using directory = temporaryDirectory();
  const keys = join(directory.path, "keys");
  assert.equal(shell(`"$NODE" "$MAIN" keys generate ${keys} -q`).status, 0);
  const verbs = ["keys list", "keys list --json", "--help", "--version", "repo", "keys list --help", "completion bash"];
  for (const verb of verbs) {
    const ran = shell(`"$NODE" "$MAIN" ${verb.startsWith("keys list") ? `${verb} ${keys}` : verb} > /dev/full`);
    // Without a verb it is wrong usage all the same.
    assert.deepEqual(ran, { status: 1, stdout: "", stderr: FULL }, verb);
  }
});

test("a reader that leaves ends it without a word, as SIGPIPE would; a reader that leaves later stops the work", () => {
  assert.deepEqual(shell('set -o pipefail; "$NODE" "$MAIN" --help | true'), {
    ...{ status: 141, stdout: "", stderr: "" },
  });
  using directory = temporaryDirectory();
  const many = join(directory.path, "many");
  const names = Array.from({ length: 20_000 }, (_, index) => `/${index} 0 100644 1 0 0 0 0.0 - - -\n`);
  writeFileSync(many, ["/ 0 40755 2 0 0 0 0.0 - - -\n", ...names.sort()].join(""));
  const script = `set -o pipefail; "$NODE" "$MAIN" repo mkcomposefs --from-file ${many} - | head -c 10 | wc -c`;
  assert.deepEqual(shell(script), { status: 141, stdout: "10\n", stderr: "" });
});

test("a standard error that is full or closed changes no exit code and no result", () => {
  for (const stream of ["2>/dev/full", "2>&-"]) {
    assert.deepEqual(shell(`"$NODE" "$MAIN" --version ${stream}`).status, 0, stream);
    assert.deepEqual(shell(`"$NODE" "$MAIN" keys list /nonexistent ${stream}`), { status: 1, stdout: "", stderr: "" });
    assert.deepEqual(shell(`"$NODE" "$MAIN" keys list ${stream}`).status, 2, stream);
  }
});

test("with --json, an error whose place is full is told on standard error", () => {
  const { status, stdout, stderr } = shell('"$NODE" "$MAIN" keys list --json /nonexistent > /dev/full');
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /no space is left there/);
});

test("a descriptor that is open for reading only is one line", () => {
  const file = openSync("/dev/null", "r");
  const { status, stderr } = spawnSync(process.execPath, [MAIN, "--version"], { stdio: ["ignore", file, "pipe"] });
  closeSync(file);
  assert.equal(status, 1);
  assert.match(stderr.toString(), /^sealroot: Cannot write to standard output: EBADF.*\n$/);
});
