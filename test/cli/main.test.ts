import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../src/cli/commands.ts";
import { main } from "../../src/cli/main.ts";
import { parseInvocation } from "../../src/cli/parse.ts";
import type { Output } from "../../src/verbs/index.ts";

async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const output: Output = {
    line: (text) => {
      out += `${text}\n`;
    },
    bytes: async (chunk) => {
      out += Buffer.from(chunk).toString();
    },
    json: (value) => {
      out += `${JSON.stringify(value)}\n`;
    },
    remark: (text) => {
      err += `${text}\n`;
    },
  };
  const code = await main(words, output);
  return { code, out, err };
}

test("the help of sealroot names every visible verb once and exits 0, or 2 without words", async () => {
  const asked = await run("--help");
  assert.equal(asked.code, 0);
  for (const name of new Set(COMMANDS.filter((entry) => !entry.hidden).map((entry) => entry.path[0]))) {
    assert.equal(asked.out.match(new RegExp(`^  ${name} `, "gm"))?.length, 1, name);
  }
  assert.equal((await run()).code, 2);
});

test("a missing argument exits 2 and points to the verb's help", async () => {
  assert.deepEqual(await run("completion"), {
    code: 2,
    out: "",
    err: "sealroot: missing required argument 'SHELL'\n  run: sealroot completion --help\n",
  });
});

test("an unknown option exits 2", async () => {
  const { code, err } = await run("completion", "bash", "--nonsense");
  assert.equal(code, 2);
  assert.match(err, /unknown option '--nonsense'/);
});

test("help wraps its text at the terminal's width, whatever the lines of the source", async () => {
  for (const entry of COMMANDS) {
    const { out } = await run(...entry.path, "--help");
    const [text = ""] = out.split("\nExample:\n");
    const lines = text.split("\n").slice(1);
    assert.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
      entry.path.join(" "),
    );
  }
  const { out } = await run("image", "pull", "--help");
  assert.match(out, /^name\. Nor does an image that the policy does not accept\.$/m);
});

test("the help of a verb loads no store and no system: they come when it runs", () => {
  const directory = join(import.meta.dirname, "../../src/verbs");
  const heavy =
    /^import (?!type )[^;]*"(?:\.\.\/)+(?:repository|oci|registry|policy|images|imagestore|deployment|disk|keys|seal|install|vm)\/index\.ts";/gm;
  const found = globSync("*.ts", { cwd: directory }).flatMap((name) => {
    const imports = readFileSync(join(directory, name), "utf8").match(heavy) ?? [];
    return imports.map((line) => `${name}: ${line}`);
  });
  assert.deepEqual(found, []);
});

test("completion lists verbs, verbs of a group, and options of a verb", async () => {
  assert.equal((await run("__complete", "--", "comple")).out, "completion\tPrint the tab completion of a shell\n");
  assert.match((await run("__complete", "--", "completion", "--")).out, /^--help\tshow this help$/m);
  const packings = await run("__complete", "--", "image", "copy", "--compression", "z");
  assert.equal(packings.out, "zstd\nzstd:chunked\n");
  assert.equal((await run("__complete", "--", "image", "copy", "--authfile", "")).out, "");
  const installing = (await run("__complete", "--", "install", "to-disk", "--")).out;
  assert.match(installing, /^--source-imgref\t/m);
  // Accepted or refused for the sake of bootc's users, and not for new ones.
  assert.doesNotMatch(installing, /^--via-loopback/m);
  assert.match((await run("completion", "bash")).out, /complete -F _sealroot sealroot/);
});

test("every verb loads, has an example that calls it, and prints its help", async () => {
  for (const entry of COMMANDS) {
    const command = await entry.load();
    const called = `sealroot ${entry.path.join(" ")}`;
    assert.ok(
      command.examples.some((line) => line.includes(`sealroot ${(entry.aliasOf ?? entry.path).join(" ")}`)),
      `${called} has no example that calls it`,
    );
    const help = await run(...entry.path, "--help");
    assert.equal(help.code, 0, called);
    assert.match(help.out, new RegExp(`^Usage: ${called}`), called);
    assert.ok(entry.summary.length <= 80 && !entry.summary.endsWith("."), `summary of ${called}`);
  }
});

test("options arrive as flags, texts and lists", () => {
  const entry = COMMANDS[0];
  assert.ok(entry);
  const parsed = parseInvocation(
    entry,
    {
      arguments: [
        { name: "IMAGE", summary: "image" },
        { name: "MORE", summary: "more", optional: true, repeat: true },
      ],
      options: [
        { flags: "--wipe", summary: "wipe" },
        { flags: "-o, --output <IMAGE>", summary: "output" },
        { flags: "--karg <ARG>", summary: "argument", repeat: true },
      ],
      examples: [],
      reportsJson: true,
      run: async () => {},
    },
    ["oci:a", "-o", "oci:b", "--karg", "a=1", "--karg=b", "--json", "x", "y"],
  );
  assert.ok(parsed.type === "run");
  const output: Output = { line() {}, async bytes() {}, json() {}, remark() {} };
  const invocation = parsed.invocation(output, () => {});
  assert.equal(invocation.argument("IMAGE"), "oci:a");
  assert.deepEqual(invocation.arguments("MORE"), ["x", "y"]);
  assert.equal(invocation.option("output"), "oci:b");
  assert.deepEqual(invocation.list("karg"), ["a=1", "b"]);
  assert.deepEqual([invocation.flag("wipe"), invocation.json], [false, true]);
});
