/** Temporary files and directories: what remains of them after every end of the process that made them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  largeFileDirectory,
  removeTree,
  startTool,
  temporaryDirectory,
  temporaryFile,
} from "../../src/platform/index.ts";

const platform = new URL("../../src/platform/index.ts", import.meta.url).href;
const leftovers = new URL("../../src/platform/leftovers.ts", import.meta.url).href;
const worker = new URL("making-worker.ts", import.meta.url).href;
const scratch = mkdtempSync(join(tmpdir(), "sealroot-temporary-test-"));
const at = (name: string) => join(scratch, name);
after(() => rmSync(scratch, { recursive: true }));

function folder(name: string): string {
  mkdirSync(at(name));
  return at(name);
}

let programs = 0;

type Program = Awaited<ReturnType<typeof startTool>>;

/** Runs a module that may use everything of platform/, until it has printed a line. */
async function started(script: string): Promise<Program> {
  // A file, since threads do not start from a program that was given with -e.
  const path = at(`program-${++programs}.mjs`);
  writeFileSync(path, `import * as platform from ${JSON.stringify(platform)};\n${script}`);
  const program = await startTool(process.execPath, [path]);
  let complaint = "";
  program.stderr?.on("data", (chunk) => {
    complaint += String(chunk);
  });
  await new Promise<void>((resolve, reject) => {
    program.stdout?.once("data", () => resolve());
    program.exited.then((exit) =>
      reject(new Error(`ended before it said anything: ${JSON.stringify(exit)} ${complaint}`)),
    );
  });
  return program;
}

/** A process that holds a directory with a file in it, and a file, in `parent`. */
function holder(parent: string): Promise<Program> {
  return started(`
    import { writeFileSync } from "node:fs";
    const directory = platform.temporaryDirectory({ parent: ${JSON.stringify(parent)}, purpose: "one" });
    const file = platform.temporaryFile({ parent: ${JSON.stringify(parent)}, purpose: "two" });
    writeFileSync(directory.path + "/content", "x");
    console.log("there");
    setInterval(() => {}, 1000);
  `);
}

const purposes = (parent: string) => readdirSync(parent).map((name) => /^\.sealroot-([a-z]+)-/.exec(name)?.[1]);

test("what a killed process left is removed by the next one that works there, what a living one has stays", async () => {
  const parent = folder("killed");
  const [dead, living] = [await holder(parent), await holder(parent)];
  assert.deepEqual(purposes(parent).sort(), ["one", "one", "two", "two"]);
  const before = new Set(readdirSync(parent));
  dead.kill("SIGKILL");
  await dead.exited;
  assert.deepEqual(new Set(readdirSync(parent)), before);
  const next = await started(`
    const directory = platform.temporaryDirectory({ parent: ${JSON.stringify(parent)}, purpose: "next" });
    console.log("there");
    setInterval(() => {}, 1000);
  `);
  assert.deepEqual(purposes(parent).sort(), ["next", "one", "two"]);
  for (const program of [next, living]) {
    program.kill("SIGTERM");
    assert.equal((await program.exited).signal, "SIGTERM");
  }
  assert.deepEqual(readdirSync(parent), []);
});

test("a process id used again keeps nothing, and a directory without lock is gone though its maker's id lives", async () => {
  const parent = folder("unlocked");
  // As a process leaves it that was killed; this process lives.
  mkdirSync(join(parent, ".sealroot-staging-0123456789abcdef"), 0o700);
  temporaryDirectory({ parent }).remove();
  assert.deepEqual(readdirSync(parent), []);
});

test("what only looks similar, is somebody else's, or is open to others stays", () => {
  const parent = folder("similar");
  const hex = "0123456789abcdef";
  const names = ["sealroot-seal-abc123", `.sealroot-seal-${hex}0`, `sealroot-seal-${hex}`, `.sealroot-Seal-${hex}`];
  for (const name of names) mkdirSync(join(parent, name));
  symlinkSync("/etc", join(parent, `.sealroot-link-${hex}`));
  mkdirSync(join(parent, `.sealroot-open-${hex}`));
  chmodSync(join(parent, `.sealroot-open-${hex}`), 0o777);
  if (process.geteuid?.() === 0) {
    mkdirSync(join(parent, `.sealroot-other-${hex}`), 0o700);
    chownSync(join(parent, `.sealroot-other-${hex}`), 65534, 65534);
  }
  const before = readdirSync(parent);
  temporaryDirectory({ parent }).remove();
  assert.deepEqual(readdirSync(parent), before);
});

test("many processes at once in one place: each keeps its own, none stops", async () => {
  const parent = folder("crowd");
  const count = 6;
  const crowd = await Promise.all(
    Array.from({ length: count }, () =>
      started(`
        const parent = ${JSON.stringify(parent)};
                const { existsSync, readdirSync } = await import("node:fs");
        const { collectLeftovers } = await import(${JSON.stringify(leftovers)});
        for (let round = 0; round < 40; round++) {
          using directory = platform.temporaryDirectory({ parent });
          collectLeftovers(parent);
          readdirSync(directory.path);
          using file = platform.temporaryFile({ parent });
          collectLeftovers(parent);
          readdirSync(parent);
          if (!existsSync(file.path)) throw new Error("lost");
        }
        console.log("done");
      `),
    ),
  );
  for (const program of crowd) assert.equal((await program.exited).exitCode, 0);
  assert.deepEqual(readdirSync(parent), []);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} while threads and children make files: nothing is left`, async () => {
    const parent = folder(signal);
    for (let round = 0; round < (signal === "SIGTERM" ? 6 : 2); round++) {
      const program = await started(`
        const directory = platform.temporaryDirectory({ parent: ${JSON.stringify(parent)} });
        const pool = new platform.WorkerPool(new URL(${JSON.stringify(worker)}), { size: 3 });
        for (let i = 0; i < 3; i++) void pool.run("make files", directory.path + "/a/b");
        await platform.startTool("sh", ["-c", "i=0; while :; do mkdir -p c/$i; : >c/$i/f; i=$((i + 1)); done"], {
          directory: directory.path,
        });
        setTimeout(() => console.log("going"), ${20 + 15 * round});
      `);
      program.kill(signal);
      assert.equal((await program.exited).signal, signal);
      assert.deepEqual(readdirSync(parent), [], `round ${round}`);
    }
  });
}

test("removeTree() removes while somebody makes new files inside, and what its owner may not write to", async () => {
  const parent = folder("busy");
  mkdirSync(join(parent, "tree"));
  const maker = await startTool("sh", ["-c", `cd ${parent}/tree && echo; i=0; while : >f$i; do i=$((i + 1)); done`]);
  await new Promise<void>((resolve) => maker.stdout?.once("data", () => resolve()));
  removeTree(join(parent, "tree"));
  maker.kill("SIGKILL");
  await maker.exited;
  assert.deepEqual(readdirSync(parent), []);
  removeTree(join(parent, "tree"));

  const script = `
    import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
    const path = ${JSON.stringify(join(parent, "locked"))};
    mkdirSync(path + "/a/b", { recursive: true });
    writeFileSync(path + "/a/b/file", "");
    chmodSync(path + "/a/b", 0o555);
    chmodSync(path + "/a", 0);
    platform.removeTree(path);
  `;
  chmodSync(scratch, 0o755);
  chmodSync(parent, 0o777);
  const words = ["--input-type=module", "-e", `import * as platform from ${JSON.stringify(platform)};${script}`];
  const user = process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  execFileSync(process.execPath, words, { ...user, stdio: "inherit" });
  assert.deepEqual(readdirSync(parent), []);
});

test("temporaryFile() has the mode that the umask allows, and vanishes unless it is renamed", () => {
  const parent = folder("files");
  {
    using _ = temporaryFile({ parent });
  }
  assert.deepEqual(readdirSync(parent), []);
  const umask = process.umask(0o027);
  try {
    using file = temporaryFile({ parent, mode: 0o644 });
    assert.equal(statSync(file.path).mode & 0o777, 0o640);
    renameSync(file.path, join(parent, "kept"));
  } finally {
    process.umask(umask);
  }
  assert.deepEqual(readdirSync(parent), ["kept"]);
});

test("a umask that takes everything does not keep the owner out", () => {
  const umask = process.umask(0o777);
  try {
    using directory = temporaryDirectory({ parent: scratch });
    assert.equal(statSync(directory.path).mode & 0o777, 0o700);
    closeSync(openSync(join(directory.path, "file"), "w"));
  } finally {
    process.umask(umask);
  }
});

test("large files go to TMPDIR, else to /var/tmp; a TMPDIR that is not there is named", () => {
  const before = process.env.TMPDIR;
  try {
    delete process.env.TMPDIR;
    assert.equal(largeFileDirectory(), "/var/tmp");
    process.env.TMPDIR = "";
    assert.equal(largeFileDirectory(), "/var/tmp");
    process.env.TMPDIR = scratch;
    assert.equal(largeFileDirectory(), scratch);
    process.env.TMPDIR = at("absent");
    const error = {
      code: "not-found",
      message: new RegExp(`^Cannot make temporary files in ${at("absent")}: ENOENT`),
    };
    assert.throws(() => largeFileDirectory(), error);
    assert.throws(() => temporaryDirectory(), error);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  assert.ok(!existsSync(at("absent")));
});

test("the descriptor of a directory that was removed twice is not closed twice", () => {
  const directory = temporaryDirectory({ parent: scratch });
  directory.remove();
  const fd = openSync(scratch, "r");
  directory.remove();
  writeFileSync(at("still"), "");
  closeSync(fd);
  rmSync(at("still"));
});
