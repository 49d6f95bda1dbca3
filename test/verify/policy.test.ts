/** What a caller demands beyond a whole chain: arguments, signers, fs-verity. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ukiPath } from "../../src/bls/index.ts";
import { authenticatedContent, parseSignatureLists } from "../../src/efi/index.ts";
import { signPe } from "../../src/pe/index.ts";
import { peImage } from "../bootloader/pe-fixture.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles, TEST_KEYS } from "../install/sealed-image.ts";
import { temporaryKeys } from "../keys/temporary-keys.ts";
import { type FixtureDisk, FixtureDisks, TOOL_OBJECT } from "./fixture-disk.ts";

const disks = new FixtureDisks();
after(() => disks[Symbol.dispose]());
let strict: FixtureDisk;
let lenient: FixtureDisk;
const other = await temporaryKeys("other");
before(async () => {
  strict = await disks.make(baseFiles(), { commandLine: (id) => `composefs=${id} rw lockdown=integrity` });
  lenient = await disks.make(baseFiles(), { commandLine: (id) => `composefs=?${id} rw` });
});

/** The certificate of db as a file, DER. */
function certificate(keys: typeof TEST_KEYS, name: string): string {
  const path = join(disks.folder(), name);
  const [entry] = parseSignatureLists(authenticatedContent(keys.enrolment.db));
  assert.ok(entry !== undefined);
  writeFileSync(path, entry.data);
  return path;
}

async function verdict(disk: { readonly path: string }, ...words: string[]) {
  const { exitCode, out, err } = await run("verify", disk.path, ...words);
  assert.equal(err, "");
  return { exitCode, last: out.slice(out.lastIndexOf("\n\n") + 2), out };
}

test("--require-karg: a key with any value, or with this one; the last one on the line counts", async () => {
  const { exitCode, out } = await verdict(
    strict,
    "--require-karg",
    "rw",
    "--require-karg",
    "lockdown=integrity",
    "--require-karg",
    "lockdown",
  );
  assert.equal(exitCode, 0, out);
  assert.match(out, /^verified {3}policy {2}what was demanded\n {13}every command line has rw\n/m);
  const lacks = await verdict(strict, "--require-karg", "quiet");
  assert.deepEqual(
    [lacks.exitCode, lacks.last],
    [
      1,
      `BROKEN at policy what was demanded: the command line of loader/entries/bootc_testos-1.0-1.conf lacks quiet
  path: loader/entries/bootc_testos-1.0-1.conf
  expected: quiet
  found: no such argument
  remedy: seal the image with --karg quiet
`,
    ],
  );
  const other = await verdict(strict, "--require-karg", "lockdown=confidentiality");
  assert.match(other.last, /^ {2}expected: lockdown=confidentiality\n {2}found: lockdown=integrity$/m);
});

test("--require-karg: an add-on's arguments count, as they do at boot", async () => {
  const copy = await disks.copyOf(strict);
  const addon = await signPe(peImage({ ".cmdline": "lockdown=none" }), TEST_KEYS.signer);
  copy.writeEsp(`${ukiPath(strict.deploymentId).slice(1)}.extra.d/weak.addon.efi`, addon);
  const { exitCode, last } = await verdict(copy, "--require-karg", "lockdown=integrity");
  assert.deepEqual([exitCode, /^ {2}found: lockdown=none$/m.test(last)], [1, true], last);
});

test("--require-key: one of the certificates must have signed every program", async () => {
  const [own, foreign] = [certificate(TEST_KEYS, "own.der"), certificate(other, "foreign.der")];
  const good = await verdict(strict, "--require-key", own, "--require-key", foreign);
  assert.equal(good.exitCode, 0, good.out);
  assert.match(good.out, /^ {13}CN=test db or CN=other db signed all 3 programs$/m);
  const bad = await verdict(strict, "--require-key", foreign);
  assert.equal(bad.exitCode, 1);
  assert.match(
    bad.last,
    /^BROKEN at policy what was demanded: .*its certificate "CN=test db" is neither trusted nor issued by a trusted one$/m,
  );
  assert.match(bad.last, /^ {2}expected: a signature by CN=other db$/m);
  const { exitCode, err } = await run("verify", strict.path, "--require-key", join(disks.folder(), "none.pem"));
  assert.deepEqual([exitCode, /there is no such file/.test(err)], [1, true]);
});

test("--forbid-missing-verity: what was made for file systems without fs-verity is refused", async () => {
  const accepted = await verdict(lenient);
  assert.equal(accepted.exitCode, 0);
  assert.match(accepted.last, /^every link holds, but some promise less than a sealed system does; 9 objects/);
  const refused = await verdict(lenient, "--forbid-missing-verity");
  assert.equal(refused.exitCode, 1);
  assert.match(refused.last, /^BROKEN at policy .*: the command line of .* accepts an image without fs-verity$/m);
  assert.match((await verdict(strict, "--forbid-missing-verity")).out, /^ {13}nothing may be without fs-verity$/m);
});

test("an object without fs-verity, where the command line accepts that: weaker, but never with another content", async () => {
  const copy = await disks.copyOf(lenient);
  copy.debugfs(`sif /${TOOL_OBJECT} flags 0x80000`);
  const weaker = await verdict(copy);
  assert.equal(weaker.exitCode, 0, weaker.out);
  assert.match(weaker.out, /^ {13}weaker: the object of \/usr\/bin\/tool: fs-verity is off$/m);
  assert.match((await verdict(copy, "--forbid-missing-verity")).out, /BROKEN: there are files without fs-verity$/m);
  const image = await disks.copyOf(lenient);
  const { deploymentId } = lenient;
  image.debugfs(`sif /composefs/objects/${deploymentId.slice(0, 2)}/${deploymentId.slice(2)} flags 0x80000`);
  assert.match((await verdict(image)).out, /^weaker {7}image .*\n.*\n.*\n {15}weaker: fs-verity is off$/m);
  assert.match((await verdict(image, "--forbid-missing-verity")).out, /BROKEN: there are files without fs-verity$/m);
  copy.flipRoot(TOOL_OBJECT, 0);
  assert.match(
    (await verdict(copy)).last,
    /^BROKEN at objects .*: the object of \/usr\/bin\/tool: its content has another digest$/m,
  );
});
