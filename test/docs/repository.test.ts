import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";

const CHECKOUT = join(import.meta.dirname, "../..");

test("docs/repository.md: the session prints what it shows", () => {
  using directory = temporaryDirectory();
  const session = fencedBlocks(readDocument("repository.md"), "console").join("");
  const commands = [...session.matchAll(/^\$ (.+)$/gm)].map((match) => match[1] ?? "");
  assert.ok(commands.length >= 10);
  // Each command is printed as the document shows it, then run; standard error is not in the document.
  const script = ["umask 022", ...commands.flatMap((command) => [`cat <<'END'\n$ ${command}\nEND`, command])];
  const env = {
    ...process.env,
    PATH: [join(CHECKOUT, "bin"), process.env.PATH].join(delimiter),
    ...{ SEALROOT: CHECKOUT, LC_ALL: "C" },
  };
  const { stdout } = spawnSync("sh", ["-c", script.join("\n")], { cwd: directory.path, env, encoding: "utf8" });
  assert.equal(stdout, session);
});
