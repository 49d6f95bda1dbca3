/** A release depends on the sources and SOURCE_DATE_EPOCH alone: whoever builds it, where and when, the bytes are the same. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runTool, temporaryDirectory } from "../../src/platform/index.ts";
import { OFTEN_FOUND, OTHER_UID, runIn, SELDOM_FOUND, SELDOM_SPOKEN, type Surroundings } from "../surroundings.ts";
import { CHECKOUT, EPOCH_SECONDS } from "./built.ts";

/** Builds everything in a copy of the sources. @returns each file with its mode and digest */
async function release(directory: string, surroundings: Surroundings): Promise<string[]> {
  mkdirSync(directory, { mode: 0o755 });
  const { uid, umask } = surroundings;
  // As git would write it for this user.
  const copy =
    'umask "$1" && git -c safe.directory="$2" ls-files -z | tar -c --null -T - | tar -x --no-same-permissions -C "$3"';
  await runTool("sh", ["-ec", copy, "sh", umask, CHECKOUT, directory], { directory: CHECKOUT });
  symlinkSync(join(CHECKOUT, "node_modules"), join(directory, "node_modules"));
  if (uid !== undefined) await runTool("chown", ["-R", "--no-dereference", `${uid}:${uid}`, directory]);
  const environment = { ...surroundings.environment, SOURCE_DATE_EPOCH: String(EPOCH_SECONDS) };
  const command = [process.execPath, "scripts/package/run.ts"];
  const done = runIn({ ...surroundings, environment }, directory, command);
  assert.equal(done.status, 0, done.stdout + done.stderr);
  const output = join(directory, "dist");
  return readdirSync(output, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => {
      // Of the compiled form, which is packed, the modes count.
      const mode = path.startsWith(join(output, "sealroot/")) ? lstatSync(path).mode.toString(8) : "";
      return `${path.slice(output.length)} ${mode} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
    })
    .sort();
}

test("another day, folder, user, umask, home, language, time zone and processor count: the same release", async () => {
  using work = temporaryDirectory({ parent: "/var/tmp", purpose: "test" });
  await runTool("chmod", ["755", work.path]);
  const [home, otherHome] = [join(work.path, "home"), join(work.path, "other home")];
  for (const path of [home, otherHome]) mkdirSync(path);
  if (OTHER_UID !== undefined) await runTool("chown", [`${OTHER_UID}`, otherHome]);
  const PATH = `${dirname(process.execPath)}:/usr/bin:/usr/sbin:/usr/local/bin`;
  const first = await release(join(work.path, "first"), {
    ...OFTEN_FOUND,
    environment: { PATH, HOME: home, TZ: "UTC", LC_ALL: "C" },
  });
  const second = await release(join(work.path, "a second one"), {
    ...SELDOM_FOUND,
    environment: { PATH, HOME: otherHome, ...SELDOM_SPOKEN },
  });
  assert.ok(first.some((line) => line.includes(".deb ")));
  assert.ok(first.some((line) => line.includes(".tgz ")));
  assert.ok(first.some((line) => line.startsWith("/tool-image/blobs/")));
  assert.deepEqual(second, first);
});
