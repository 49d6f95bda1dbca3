/** A user id that the system knows nothing of, as clusters give to containers: no name, no directory, maybe no HOME. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { file, layeredImage } from "../imagestore/layered-image.ts";

const CHECKOUT = new URL("../..", import.meta.url).pathname;
const USER_ID = 54_321;

let scratch: string;
let layout: string;
/** Belongs to the user. */
let home: string;
before(async () => {
  assert.equal(process.getuid?.(), 0, "the tests become another user: run them as root");
  scratch = mkdtempSync(join(tmpdir(), "sealroot-user-"));
  chmodSync(scratch, 0o755);
  home = join(scratch, "home");
  mkdirSync(home);
  chownSync(home, USER_ID, USER_ID);
  layout = (await layeredImage(join(scratch, "layout"), [[file("x", Buffer.from("x"))]])).layout.directory;
});
after(() => rmSync(scratch, { recursive: true, force: true }));

/** The checkout need not be readable by others, so this user may read everything. */
function sealroot(environment: readonly string[], ...words: readonly string[]) {
  const user = [`--reuid=${USER_ID}`, `--regid=${USER_ID}`, "--clear-groups"];
  const rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
  const program = ["env", "-i", `PATH=${process.env.PATH}`, ...environment, join(CHECKOUT, "bin/sealroot"), ...words];
  const { status, stdout, stderr } = spawnSync("setpriv", [...user, ...rights, ...program], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("without HOME: what needs no directory of the user's works, what does names it", () => {
  const copied = sealroot([], "image", "copy", "--quiet", `oci:${layout}:t`, `dir:${home}/copy`);
  assert.deepEqual([copied.status, copied.stderr], [0, ""]);
  assert.ok(existsSync(join(home, "copy/manifest.json")));
  const stores = sealroot([], "image", "copy", "containers-storage:localhost/app", `dir:${home}/none`);
  const what = "Cannot open container storage /.local/share/containers/storage: there is no store";
  assert.deepEqual([stores.status, stores.stderr.trim().split("\n")[0]], [1, `sealroot: ${what}`]);
  const registry = sealroot([], "image", "copy", "docker://localhost:1/app:1", `dir:${home}/none`);
  assert.match(registry.stderr, /^sealroot: Cannot reach https:\/\/localhost:1: /);
  const listed = sealroot([], "image", "list");
  assert.match(listed.stderr, /^sealroot: Cannot open repository \/\.var\/lib\/composefs: there is no such directory/);
});

test("with HOME: the user's own repository and store are there", () => {
  const environment = [`HOME=${home}`];
  const made = sealroot(environment, "repo", "init", "--insecure");
  assert.deepEqual([made.status, made.stderr], [0, ""]);
  assert.ok(existsSync(join(home, ".var/lib/composefs/meta.json")));
  const pulled = sealroot(environment, "image", "pull", "--quiet", `oci:${layout}:t`, "app");
  assert.deepEqual([pulled.status, pulled.stderr], [0, ""]);
  const stores = sealroot(environment, "image", "pull", "containers-storage:localhost/app");
  assert.match(
    stores.stderr,
    new RegExp(`^sealroot: Cannot open container storage ${home}/\\.local/share/containers/`),
  );
});
