/** `sealroot vm run` on the sealed example, as a user types it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { generateKeys } from "../../src/keys/index.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { type SealedExample, sealedExample } from "./sealed-example.ts";

const ROOT = join(import.meta.dirname, "../..");

let example: SealedExample;
before(async () => {
  example = await sealedExample();
});

/** Runs it with nothing to read. Times are those of a busy machine: none of them is waited for when all is well. */
function vmRun(...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const args = [join(ROOT, "src/cli/main.ts"), "vm", "run", example.diskPath, ...words];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
}

async function foreignKeys(directory: TemporaryDirectory): Promise<string> {
  const path = join(directory.path, "keys");
  await generateKeys(path, { commonName: "foreign", now: new Date() });
  return path;
}

test("vm run --execute survives the reset after the disk has enrolled its keys, and reports as JSON", async () => {
  const script = "cat /sys/firmware/efi/efivars/SecureBoot-* | tail -c1 | od -An -tu1; echo wrong >&2; exit 7";
  const { code, out, err } = await vmRun("--execute", script, "--json", "--timeout", "1500");
  assert.equal(code, 7, `${out}${err}`);
  const report: unknown = JSON.parse(out);
  const schema = JSON.parse(readFileSync(join(ROOT, "docs/schema/vm-run.json"), "utf8"));
  assert.deepEqual(faultsOf(schema, report), []);
  assert.deepEqual(report, { exitCode: 7, stdout: "   1\n", stderr: "wrong\n" });
  assert.match(err, /^ {2}boot the disk {2}\d/m);
  assert.doesNotMatch(err, /[kM]i?B/);
});

test("a boot that the firmware refuses ends at once, with the reason: captured, and on a terminal", async () => {
  using directory = temporaryDirectory();
  const keys = ["--secure-boot-keys", await foreignKeys(directory)];
  const captured = await vmRun(...keys, "--execute", "true", "--json", "--timeout", "1500");
  assert.equal(captured.code, 1, captured.err);
  const { error } = JSON.parse(captured.out);
  assert.deepEqual([error.code, error.step], ["untrusted", "boot the disk"]);
  assert.match(error.message, /^Cannot boot the guest: the firmware refused it: .*Access Denied/);
  assert.ok(error.output.length > 0);
  const onTerminal = await vmRun(...keys, "--timeout", "1500");
  assert.equal(onTerminal.code, 1, onTerminal.err);
  assert.match(onTerminal.err, /^sealroot: Cannot boot the guest: the firmware refused it: .*Access Denied/m);
});

test("--timeout is over the boot too: captured, and on a terminal", async () => {
  const captured = await vmRun("--execute", "true", "--timeout", "2");
  assert.equal(captured.code, 1);
  assert.match(captured.err, /^sealroot: Cannot boot the guest: nothing happened in \d(?:\.\d)? s/m);
  const onTerminal = await vmRun("--timeout", "2");
  assert.equal(onTerminal.code, 1);
  assert.match(onTerminal.err, /^sealroot: Cannot go on with the guest: its 2 s are over$/m);
});
