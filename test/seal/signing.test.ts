/** What `sealroot seal` and `seal attach` sign and let pass, whole command lines on a small image. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadSigner } from "../../src/keys/index.ts";
import {
  attachSignature,
  authenticodeDigest,
  detachSignatures,
  parsePe,
  readSignatures,
  sbatOf,
  signPe,
} from "../../src/pe/index.ts";
import { loaderImage, peImage, stubImage } from "../bootloader/pe-fixture.ts";
import { type Run, run } from "../cli/run-verb.ts";
import { sbverifyAccepts } from "../pe/boot-files.ts";
import { sealableImage } from "./sealable-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-signing-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
let plain: string;

before(async () => {
  plain = await sealableImage(scratch);
  for (const name of ["keys", "other"]) await succeed("keys", "generate", at(name), "--common-name", name);
});

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, err);
  return out;
}

function assertRefused({ exitCode, err }: Run, message: RegExp, code = 1): void {
  assert.match(err, message);
  assert.equal(exitCode, code, err);
}

function write(name: string, bytes: Uint8Array): string {
  writeFileSync(at(name), bytes);
  return at(name);
}

const sealWith = (output: string, ...words: string[]) => run("seal", plain, "-o", `oci:${at(output)}`, ...words);

test("seal says which loader and stub it took, and takes no others when they are pinned", async () => {
  const report = JSON.parse((await sealWith("pinned", "--keys", at("keys"), "--json")).out);
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  assert.deepEqual(report.loader, { version: "257.13-1", sha256: digest(loaderImage("257.13-1")) });
  assert.deepEqual(report.stub, { version: "257.13-1", sha256: digest(stubImage("257.13-1")) });
  const pins = ["--loader", `sha256:${report.loader.sha256}`, "--stub", `sha256:${report.stub.sha256.toUpperCase()}`];
  await succeed("seal", plain, "-o", `oci:${at("pinned2")}`, "--keys", at("keys"), ...pins);
  for (const option of ["--loader", "--stub"]) {
    const wrong = await sealWith("unpinned", "--keys", at("keys"), option, `sha256:${"0".repeat(64)}`);
    assertRefused(wrong, /^sealroot: Cannot seal the image: its systemd-(boot|stub) \(\S+\) is not the pinned one\n/);
    assertRefused(await sealWith("unpinned", "--keys", at("keys"), option, "sha256:12"), /has 64 hex digits/, 2);
    assertRefused(await sealWith("unpinned", "--keys", at("keys"), option, at("none")), /^sealroot: Cannot read the /);
  }
  assert.ok(!existsSync(at("unpinned")));
});

test("--loader must be systemd-boot, signed by the db that the image enrols", async () => {
  const loader = loaderImage("256.9");
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    [
      "unsigned",
      loader,
      /Cannot use the boot loader: firmware with the keys in auto\/ refuses it, as it is not signed\n/,
    ],
    [
      "foreign",
      await signPe(loader, loadSigner(at("other"))),
      /its certificate "CN=other db" is neither trusted nor issued/,
    ],
    ["shell", await signPe(peImage({ ".text": "shell" }), loadSigner(at("keys"))), /shell\.efi is not systemd-boot\n/],
  ];
  for (const [name, bytes, message] of cases) {
    assertRefused(await sealWith("refused", "--keys", at("keys"), "--loader", write(`${name}.efi`, bytes)), message);
  }
  assert.ok(!existsSync(at("refused")));
  const good = write("good.efi", await signPe(loader, loadSigner(at("keys"))));
  const report = JSON.parse(
    await succeed("seal", plain, "-o", `oci:${at("own-loader")}`, "--keys", at("keys"), "--loader", good, "--json"),
  );
  assert.equal(report.loader.version, "256.9");
  // Without keys nobody is trusted, but a bad signature is none.
  assertRefused(await sealWith("refused", "--unsigned", "--loader", at("unsigned.efi")), /it is not signed\n/);
  await succeed("seal", plain, "-o", `oci:${at("unsigned-own-loader")}`, "--unsigned", "--loader", at("foreign.efi"));
});

test("--stub is built in, and must be one", async () => {
  assertRefused(
    await sealWith("refused", "--unsigned", "--stub", write("loader.efi", loaderImage("257"))),
    /loader\.efi is not the systemd EFI stub\n/,
  );
  const stub = write("stub", stubImage("258~rc1"));
  await succeed("seal", plain, "-o", `oci:${at("own-stub")}`, "--unsigned", "--stub", stub);
  await succeed("seal", "attach", `oci:${at("own-stub")}`, "--extract", at("own-stub.efi"));
  assert.ok(readFileSync(at("own-stub.efi")).includes("systemd-stub 258~rc1"));
});

test("kernel arguments are refused before the image is looked at", async () => {
  for (const argument of ['a="b', "init=/bin/sh", "a=\u00e4", "rd.break"]) {
    const refused = await run("seal", "oci:/nowhere", "-o", `oci:${at("refused")}`, "--unsigned", "--karg", argument);
    assertRefused(refused, /^sealroot: Cannot use the kernel argument /, 2);
  }
  const split = ["--karg", 'a="b', "--karg", 'c" init=/bin/sh'];
  assertRefused(await sealWith("refused", "--unsigned", ...split), /a double quote is not closed\n/, 2);
  assertRefused(
    await sealWith("refused", "--unsigned", "--karg", `foo=${"0".repeat(1950)}`, "--karg", "lockdown=confidentiality"),
    /Cannot use the kernel command line: it has 21\d\d bytes, the kernel keeps 2047\n/,
  );
  assert.ok(!existsSync(at("refused")));
});

test("one db key signs images with and without required fs-verity only when told", async () => {
  cpSync(at("keys"), at("strict-keys"), { recursive: true });
  rmSync(at("strict-keys/db.signed-strict"), { force: true });
  // What is refused leaves no mark, and what is not signed neither.
  await sealWith("marks", "--keys", at("strict-keys"), "--karg", "init=/x");
  await sealWith("marks", "--unsigned", "--allow-missing-verity");
  assert.deepEqual(
    readdirSync(at("strict-keys")).filter((name) => name.includes("signed")),
    [],
  );
  await succeed("seal", plain, "-o", `oci:${at("marks-1")}`, "--keys", at("strict-keys"));
  assert.deepEqual(
    readdirSync(at("strict-keys")).filter((name) => name.includes("signed")),
    ["db.signed-strict"],
  );
  const lenient = ["--keys", at("strict-keys"), "--allow-missing-verity"];
  assertRefused(
    await run("seal", "oci:/nowhere", "-o", `oci:${at("refused")}`, ...lenient),
    /^sealroot: Cannot sign an image that does not require fs-verity: the db key has signed images that do, and a copy/,
  );
  assert.match(await succeed("keys", "list", at("strict-keys")), /\ndb has signed images that require fs-verity\n$/);
  await succeed("seal", plain, "-o", `oci:${at("marks-2")}`, ...lenient, "--allow-shared-key");
  assertRefused(await sealWith("refused", "--keys", at("strict-keys")), /Cannot sign an image that requires fs-verity/);
});

test("attach takes the image's UKI with a good signature, and no other", async () => {
  await succeed("seal", plain, "-o", `oci:${at("open")}`, "--unsigned");
  await succeed("seal", "attach", `oci:${at("open")}`, "--extract", at("uki.efi"));
  const uki = readFileSync(at("uki.efi"));
  const signed = await signPe(uki, loadSigner(at("keys")));
  const attach = (name: string, bytes: Uint8Array, ...words: string[]) =>
    run("seal", "attach", `oci:${at("open")}`, write(`${name}.efi`, bytes), "-o", `oci:${at(name)}`, ...words);

  const flipped = Buffer.from(signed);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 100) ^ 1, flipped.length - 100);
  const [foreign] = readSignatures(parsePe(await signPe(loaderImage("1"), loadSigner(at("keys")))));
  assert.ok(foreign);
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["none", uki, /Cannot attach the UKI: it is not signed\n/],
    ["flipped", flipped, /Cannot use the signed UKI: the signature does not match the key of "CN=keys db"\n/],
    [
      "swapped",
      attachSignature(uki, foreign),
      /Cannot use the signed UKI: its digest is not the one that was signed\n/,
    ],
  ];
  for (const [name, bytes, message] of cases) {
    assertRefused(await attach(name, bytes), message);
    assert.ok(!existsSync(at(name)));
    assert.equal(sbverifyAccepts(at(`${name}.efi`), at("keys/db.pem")), false);
  }
  const other = await signPe(uki, loadSigner(at("other")));
  assertRefused(
    await attach("by-other", other, "--keys", at("keys")),
    /Cannot use the signed UKI: firmware with the keys in \S+keys refuses it, as its certificate "CN=other db" is neither/,
  );
  // Nobody has said whose signature it must be.
  assert.equal((await attach("by-other", other)).exitCode, 0);
  assert.equal((await attach("good", signed, "--keys", at("keys"))).exitCode, 0);
  assert.ok(sbverifyAccepts(at("good.efi"), at("keys/db.pem")));
});

test("attach to an image that enrols keys takes a signature by these keys only", async () => {
  await succeed("seal", plain, "-o", `oci:${at("enrolling")}`, "--keys", at("keys"));
  await succeed("seal", "attach", `oci:${at("enrolling")}`, "--extract", at("enrolling.efi"));
  const uki = detachSignatures(readFileSync(at("enrolling.efi")));
  const attach = async (name: string, keys: string) =>
    run(
      ...["seal", "attach", `oci:${at("enrolling")}`],
      ...[write(`${name}.efi`, await signPe(uki, loadSigner(at(keys)))), "-o", `oci:${at(name)}`],
    );
  assertRefused(
    await attach("not-enrolled", "other"),
    /firmware with the keys in auto\/ refuses it, as its certificate "CN=other db" is neither trusted nor issued/,
  );
  assert.equal((await attach("enrolled", "keys")).exitCode, 0);
  assert.deepEqual(
    Buffer.from(authenticodeDigest(parsePe(readFileSync(at("enrolled.efi"))))),
    Buffer.from(authenticodeDigest(parsePe(uki))),
  );
});

test("attach marks the key that --keys names, and refuses a UKI of the other kind", async () => {
  cpSync(at("other"), at("attach-keys"), { recursive: true });
  for (const [name, words, exitCode] of [
    ["lenient", ["--allow-missing-verity"], 0],
    ["strict", [], 1],
  ] as const) {
    await succeed("seal", plain, "-o", `oci:${at(`${name}-open`)}`, "--unsigned", ...words);
    await succeed("seal", "attach", `oci:${at(`${name}-open`)}`, "--extract", at(`${name}.uki`));
    const signed = await signPe(readFileSync(at(`${name}.uki`)), loadSigner(at("attach-keys")));
    const parts = ["seal", "attach", `oci:${at(`${name}-open`)}`, write(`${name}.signed`, signed)];
    const result = await run(...parts, "-o", `oci:${at(`${name}-done`)}`, "--keys", at("attach-keys"));
    assert.equal(result.exitCode, exitCode, result.err);
    if (exitCode === 1) assert.match(result.err, /Cannot sign an image that requires fs-verity/);
  }
  assert.ok(existsSync(at("attach-keys/db.signed-lenient")));
});

test("a seal has the lines of SBAT of its keys, and after keys revoke --sbat the level refuses it and not the next one", async () => {
  const ukiOf = async (name: string, ...words: string[]) => {
    const { exitCode, err } = await sealWith(name, "--keys", at("keys"), ...words);
    assert.equal(exitCode, 0, err);
    await succeed("seal", "attach", `oci:${at(name)}`, "--extract", at(`${name}.efi`));
    const image = parsePe(readFileSync(at(`${name}.efi`)));
    return sbatOf(image)?.map(({ component, generation }) => `${component} ${generation}`);
  };
  const own = `uki.${readFileSync(at("keys/GUID.txt"), "utf8").trim()}`;
  assert.deepEqual(await ukiOf("sbat-first"), ["sbat 1", "uki 1", `${own} 1`]);
  await succeed("keys", "revoke", at("keys"), "--sbat");
  assert.deepEqual(await ukiOf("sbat-second"), ["sbat 1", "uki 1", `${own} 2`]);
  writeFileSync(at("lines"), "sbat,1,S,sbat,1,https://s\nmine,7,M,m,1,https://m\n");
  const given = await ukiOf(
    "sbat-given",
    "--sbat",
    `@${at("lines")}`,
    "--sbat",
    "sbat,1,S,sbat,1,s\nb,1,B,b,1,https://b",
  );
  assert.deepEqual(given, ["sbat 1", "mine 7", "b 1"]);

  const judge = (name: string) =>
    run("verify", at(`${name}.efi`), "--keys", at("keys"), "--sbat-level", at("keys/SbatLevel.csv"));
  const old = await judge("sbat-first");
  assert.equal(old.exitCode, 1, old.err);
  assert.match(
    old.out,
    new RegExp(`^BROKEN at uki .*: the level of SBAT revokes the UKI: its ${own} is too old\n`, "m"),
  );
  assert.match(old.out, new RegExp(`^ +expected: ${own},2 or later\n +found: ${own},1\n +remedy: `, "m"));
  const next = await judge("sbat-second");
  assert.equal(next.exitCode, 0, next.out);
  assert.match(next.out, new RegExp(`SBAT: sbat 1, uki 1, ${own} 2`));

  assertRefused(
    await sealWith("none", "--keys", at("keys"), "--sbat", "mine,1"),
    /^sealroot: Cannot use --sbat TEXT: /,
    2,
  );
  assertRefused(await sealWith("none", "--keys", at("keys"), "--sbat", "@none"), /Cannot read the lines of SBAT/);
  const level = await run("verify", at("sbat-first.efi"), "--sbat-level", at("lines.none"));
  assertRefused(level, /^sealroot: Cannot read the level of SBAT/);
  assert.ok(!existsSync(at("none")));
});
