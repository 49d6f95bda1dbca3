/** A passphrase typed at a terminal: asked for there, not shown, and given up by Ctrl-C. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../cli/run-verb.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-prompt-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");

before(async () => {
  assert.equal((await run("keys", "generate", at("keys"), "--common-name", "prompted")).exitCode, 0);
  writeFileSync(at("passphrase"), "long words");
  const words = ["pkcs8", "-topk8", "-in", at("keys/KEK.key"), "-passout", `file:${at("passphrase")}`];
  execFileSync("openssl", [...words, "-out", at("encrypted.key")], { stdio: "ignore" });
});

/** Runs a change that the key signs on a terminal of its own (script(1)), and types when it is asked. */
async function typed(
  answer: string,
  digit: number,
): Promise<{ readonly exitCode: number | null; readonly shown: string }> {
  const words = [
    "keys",
    "revoke",
    at("keys"),
    String(digit).repeat(64),
    "--key",
    at("encrypted.key"),
    "--certificate",
    at("keys/KEK.pem"),
  ];
  const line = [process.execPath, MAIN, ...words].join(" ");
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let shown = "";
  let isAsked = false;
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString("latin1");
    if (isAsked || !shown.includes("encrypted.key: ")) return;
    isAsked = true;
    child.stdin.write(answer);
  });
  const exitCode = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { exitCode, shown };
}

test("a passphrase is typed at the terminal, corrected, and not shown", async () => {
  const { exitCode, shown } = await typed("long wordsx\x7f\r", 7);
  assert.match(shown, /^Passphrase of \S+encrypted\.key: \r\nRevoked the program with digest 7{64}\r\n/);
  assert.doesNotMatch(shown, /words/);
  assert.equal(exitCode, 0);
});

test("a wrong passphrase, and none, end the command", async () => {
  const wrong = await typed("other words\r", 8);
  assert.match(wrong.shown, /: the passphrase does not fit\r\n/);
  assert.equal(wrong.exitCode, 1);
  for (const key of ["\x03", "\x04"]) {
    const none = await typed(`half a wo${key}`, 8);
    assert.match(none.shown, /: the question "Passphrase of \S+encrypted\.key" was not answered\r\n/);
    assert.doesNotMatch(none.shown, /half/);
    assert.equal(none.exitCode, 1);
  }
});
