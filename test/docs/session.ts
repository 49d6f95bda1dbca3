/** Runs the sessions that documents show, and compares all they print. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";

const CHECKOUT = join(import.meta.dirname, "../..");

/** Runs the commands of a session in `directory`; each is printed as the document shows it, then run. */
export function assertSession(session: string, directory: string): void {
  const commands = [...session.matchAll(/^\$ (.+)$/gm)].map((match) => match[1] ?? "");
  assert.ok(commands.length >= 5);
  const script = ["umask 022", ...commands.flatMap((command) => [`cat <<'END'\n$ ${command}\nEND`, command])];
  const env = {
    ...process.env,
    PATH: [join(CHECKOUT, "bin"), process.env.PATH].join(delimiter),
    ...{ SEALROOT: CHECKOUT, LC_ALL: "C" },
  };
  const { stdout } = spawnSync("sh", ["-c", script.join("\n")], { cwd: directory, env, encoding: "utf8" });
  assert.equal(stdout, session);
}
