/**
 * What can be refused by the command line, the machine's files and the destination is refused before the source is asked:
 * the source is a registry that records every request.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sealableImage } from "../seal/sealable-image.ts";
import { run } from "./run-verb.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-refused-"));
const at = (...names: string[]) => join(scratch, ...names);
const requests: string[] = [];
const server = createServer((request, answer) => {
  requests.push(`${request.method} ${request.url}`);
  answer.writeHead(404).end();
});
let source: string;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  source = `docker://127.0.0.1:${(server.address() as AddressInfo).port}/os:1`;
  for (const name of ["keys", "other"]) assert.equal((await run("keys", "generate", at(name))).exitCode, 0);
  mkdirSync(at("full"));
  writeFileSync(at("full/file"), "");
  writeFileSync(at("text"), "text");
  symlinkSync("nowhere", at("dangling"));
  symlinkSync("/dev/null", at("null"));
  assert.equal((await run("repo", "init", "--insecure", at("repository"))).exitCode, 0);
});
after(() => {
  server.close();
  rmSync(scratch, { recursive: true, force: true });
});

const accepting = ["--insecure-policy", "--tls-verify", "false"];
const seal = (...words: string[]) => ["seal", source, ...accepting, ...words];
const keys = () => ["--keys", at("keys")];
const output = () => ["-o", `oci:${at("output")}`];
const install = (...words: string[]) => ["install", "to-disk", "--source-imgref", source, ...accepting, ...words];
const copy = (target: string, ...words: string[]) => ["image", "copy", source, target, ...accepting, ...words];
const pull = (...words: string[]) => ["image", "pull", "--repo", at("repository"), source, ...words];

const CASES: Readonly<Record<string, readonly [() => readonly string[], RegExp]>> = {
  "seal without keys": [() => seal(...output()), /give either --keys or --unsigned/],
  "seal with keys that are not there": [
    () => seal(...output(), "--keys", at("absent")),
    /certificate db\.pem is missing/,
  ],
  "seal with a missing signer": [
    () => seal(...output(), ...keys(), "--signer", "/no/such/program"),
    /Cannot run sh: exit code 127/,
  ],
  "seal with a signer that fails": [
    () => seal(...output(), ...keys(), "--signer", "exit 3"),
    /Cannot run sh: exit code 3/,
  ],
  "seal with a signer that has another key": [
    () => seal(...output(), ...keys(), "--signer", `openssl dgst -sha256 -sign ${at("other/db.key")}`),
    /the signer's answer of 256 bytes is not a signature by the certificate/,
  ],
  "seal with a missing loader": [
    () => seal(...output(), ...keys(), "--loader", at("absent")),
    /Cannot read the boot loader: ENOENT/,
  ],
  "seal with a UUID that is none": [() => seal(...output(), ...keys(), "--root-uuid", "x"), /"x" is not a UUID/],
  "seal with another root": [() => seal(...output(), ...keys(), "--karg", "root=/dev/sda"), /root/],
  "seal with a missing policy": [
    () => ["seal", source, ...output(), ...keys(), "--policy", at("absent")],
    /Cannot read policy: ENOENT/,
  ],
  "seal with a missing file of logins": [
    () => seal(...output(), ...keys(), "--authfile", at("absent")),
    /Cannot use --authfile .*ENOENT/,
  ],
  "seal with missing certificates": [
    () => seal(...output(), ...keys(), "--cert-dir", at("absent")),
    /Cannot use --cert-dir .*ENOENT/,
  ],
  "seal into what is not a layout": [() => seal("-o", `oci:${at("full")}`, ...keys()), /is not empty and not a layout/],
  "seal into a file": [() => seal("-o", `oci:${at("text")}`, ...keys()), /Cannot create OCI layout: EEXIST/],
  "seal into a directory of something else": [() => seal("-o", `dir:${at("full")}`, ...keys()), /holds something else/],
  "seal into an archive without a directory": [
    () => seal("-o", `oci-archive:${at("absent/a.tar")}`, ...keys()),
    /its directory does not exist/,
  ],
  "seal over a dangling link": [
    () => seal("-o", `oci-archive:${at("dangling")}`, ...keys()),
    /is a symbolic link to nowhere/,
  ],
  "seal over a device": [() => seal("-o", `oci-archive:${at("null")}`, ...keys()), /is not a plain file/],
  "seal into what is only read": [() => seal("-o", "docker-archive:x.tar", ...keys()), /docker-archive: is only read/],
  "seal under a digest": [
    () => seal("-o", `docker://127.0.0.1:1/os@sha256:${"0".repeat(64)}`, ...keys()),
    /it is named by a digest that it cannot have yet/,
  ],
  "seal onto itself": [() => seal("-o", source, ...keys()), /it would be replaced by its sealed form/],
  "seal into a registry that nobody runs": [() => seal("-o", "docker://127.0.0.1:1/os:1", ...keys()), /Cannot reach/],
  "attach what is not there": [() => ["seal", "attach", source, at("absent"), ...output(), ...accepting], /ENOENT/],
  "attach what is no signature": [
    () => ["seal", "attach", source, at("text"), ...output(), ...accepting],
    /it is no signed program and no signature/,
  ],
  "attach without output": [() => ["seal", "attach", source, at("text"), ...accepting], /--output is missing/],
  "extract into a file that exists": [
    () => ["seal", "attach", source, "--extract", at("text"), ...accepting],
    /Cannot write the UKI to .*: it exists/,
  ],
  "extract into no directory": [
    () => ["seal", "attach", source, "--extract", at("absent/uki"), ...accepting],
    /ENOENT/,
  ],
  "extract and attach": [
    () => ["seal", "attach", source, at("text"), "--extract", at("uki"), ...accepting],
    /--extract only takes it out/,
  ],
  "install without a size": [() => install(at("disk")), /the size of the new disk is not given/],
  "install with too small a size": [() => install(at("disk"), "--size", "100M"), /Cannot/],
  "install onto a directory": [() => install(at("full"), "--size", "2G", "--wipe"), /is not a plain file/],
  "install over a file": [() => install(at("text"), "--size", "2G"), /the file exists/],
  "install over a dangling link": [
    () => install(at("dangling"), "--size", "2G", "--wipe"),
    /is a symbolic link to nowhere/,
  ],
  "install with a missing policy": [
    () => ["install", "to-disk", "--source-imgref", source, at("disk"), "--size", "2G", "--policy", at("absent")],
    /Cannot read policy: ENOENT/,
  ],
  "install with a missing place to stage": [
    () => install(at("disk"), "--size", "2G", "--staging-directory", at("absent")),
    /Cannot stage the repository: ENOENT/,
  ],
  "copy into what is not a layout": [() => copy(`oci:${at("full")}`), /is not empty and not a layout/],
  "copy into a registry that nobody runs": [() => copy("docker://127.0.0.1:1/os:1"), /Cannot reach/],
  "copy all into a directory of something else": [() => copy(`dir:${at("full")}`, "--all"), /holds something else/],
  "copy with a digest file in no directory": [
    () => copy(`oci:${at("output")}`, "--digestfile", at("absent/digest")),
    /Cannot write digest file: ENOENT/,
  ],
  "copy signatures into an archive": [
    () => copy(`oci-archive:${at("a.tar")}`, "--signatures"),
    /there is no place beside/,
  ],
  "copy with a missing policy": [
    () => ["image", "copy", source, `oci:${at("output")}`, "--policy", at("absent")],
    /Cannot read policy: ENOENT/,
  ],
  "pull with a missing policy": [() => pull("--policy", at("absent")), /Cannot read policy: ENOENT/],
  "pull with links where there are no files": [
    () => pull("--link-files", ...accepting),
    /only an image in podman's store/,
  ],
  "pull into no repository": [() => ["image", "pull", "--repo", at("absent"), source], /there is no such directory/],
  "pull with a limit that is none": [() => pull("--layer-limit", "much"), /is not a size/],
};

for (const [name, [words, message]] of Object.entries(CASES)) {
  test(`refused before the source is read: ${name}`, async () => {
    requests.length = 0;
    const { exitCode, err } = await run(...words());
    assert.match(err, message);
    assert.ok(exitCode === 1 || exitCode === 2, String(exitCode));
    assert.deepEqual(requests, []);
    for (const path of ["output", "disk", "uki", "a.tar", "absent"]) assert.ok(!existsSync(at(path)), path);
  });
}

test("an image that was sealed last is refused by its configuration, its layers stay unread", async () => {
  const plain = await sealableImage(scratch);
  const sealed = `oci:${at("sealed")}:s`;
  assert.equal((await run("seal", plain, "-o", sealed, "--unsigned")).exitCode, 0);
  // Only manifest and configuration can be read.
  const index = JSON.parse(readFileSync(at("sealed/index.json"), "utf8"));
  const blob = (digest: string) => at("sealed/blobs/sha256", digest.slice("sha256:".length));
  const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), "utf8"));
  for (const { digest } of manifest.layers) {
    chmodSync(blob(digest), 0o600);
    rmSync(blob(digest));
  }
  const { exitCode, err } = await run("seal", sealed, "-o", `oci:${at("again")}`, "--unsigned");
  assert.equal(exitCode, 1);
  assert.match(err, /^sealroot: Cannot seal oci:\S+:s: it is already sealed\n {2}seal the image it was made from\n/);
  assert.ok(!existsSync(at("again")));
});

test("other outputs are looked at first: dump file of a digest, image of mkcomposefs", async () => {
  const absent = at("no-such-tree");
  const dump = await run("container", "compute-composefs-digest", absent, "--write-dumpfile-to", at("absent/dump"));
  assert.match(dump.err, /Cannot write dump file: ENOENT/);
  const image = await run("repo", "mkcomposefs", absent, at("dangling"));
  assert.match(image.err, /is a symbolic link to nowhere, which does not exist/);
  assert.match((await run("repo", "mkcomposefs", absent, at("null"))).err, /is not a plain file/);
});
