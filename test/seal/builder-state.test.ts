/** A sealed image depends on the image, the keys and SOURCE_DATE_EPOCH alone: nothing else of a building host is in its bytes. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../cli/run-verb.ts";
import { OFTEN_FOUND, runIn, SELDOM_FOUND, SELDOM_SPOKEN, type Surroundings } from "../surroundings.ts";
import { sealableImage } from "./sealable-image.ts";

const MAIN = join(import.meta.dirname, "../../src/cli/main.ts");

const scratch = mkdtempSync(join(tmpdir(), "sealroot-seal-builder-"));
// Another user must get in; mkdtemp makes directories of mode 0700.
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));

let image: string;
before(async () => {
  image = await sealableImage(scratch);
  const { exitCode, err } = await run("keys", "generate", join(scratch, "keys"), "--common-name", "test");
  assert.equal(exitCode, 0, err);
});

/** Seals with a copy of the keys, and writes what is to be signed elsewhere. @returns the directory with both layouts */
function seal(name: string, surroundings: Surroundings): string {
  const directory = join(scratch, name);
  mkdirSync(directory);
  cpSync(join(scratch, "keys"), join(directory, "keys"), { recursive: true });
  const { uid } = surroundings;
  if (uid !== undefined) {
    for (const path of [".", ...readdirSync(directory, { recursive: true, encoding: "utf8" })]) {
      chownSync(join(directory, path), uid, uid);
    }
  }
  const environment = { ...surroundings.environment, SOURCE_DATE_EPOCH: "1700000000" };
  for (const words of [
    ["-o", "oci:sealed:latest", "--keys", "keys"],
    ["-o", "oci:unsigned:latest", "--unsigned", "--to-sign", "to-sign"],
  ]) {
    const command = [process.execPath, MAIN, "seal", image, ...words];
    const done = runIn({ ...surroundings, environment }, directory, command);
    assert.equal(done.status, 0, done.stderr);
  }
  return directory;
}

/** Names and contents of all files below. */
function contents(directory: string): [string, string][] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path): [string, string] => [path.slice(directory.length), readFileSync(path).toString("base64")])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

test("another day, folder, user, umask, home, language, time zone and processor count: the same image, the same UKI", () => {
  const environment = { PATH: "/usr/bin:/usr/sbin", HOME: scratch, TZ: "UTC", LC_ALL: "C", USER: "root" };
  const first = seal("first", { ...OFTEN_FOUND, environment });
  const second = seal("a second one", {
    ...SELDOM_FOUND,
    environment: {
      ...{ PATH: "/usr/bin:/usr/sbin", HOME: "/nonexistent", USER: "somebody-else", UV_THREADPOOL_SIZE: "1" },
      ...SELDOM_SPOKEN,
    },
  });
  for (const name of ["sealed", "unsigned", "to-sign"]) {
    const [one, other] = [contents(join(first, name)), contents(join(second, name))];
    assert.ok(one.length > 0);
    assert.deepEqual(
      other.map(([path]) => path),
      one.map(([path]) => path),
    );
    for (const [index, [path, bytes]] of one.entries())
      assert.ok(other[index]?.[1] === bytes, `${name}${path} differs`);
  }
});
