/**
 * `sealroot seal` and `install to-disk` from and to every place, whole command lines: Debian's docker-registry with HTTPS
 * and a login, podman's store, archives. skopeo judges what is there afterwards.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { run } from "../cli/run-verb.ts";
import { unmountBelow } from "../images/podman/stores.ts";
import { skopeoCopy } from "../imagestore/containers.ts";
import { CERTIFICATE_DIRECTORY, type DockerRegistry, startDockerRegistry } from "../registry/docker-registry.ts";
import { sealableImage } from "./sealable-image.ts";

const LOGIN = { userName: "builder", password: "s3cret:with colon" };
const scratch = mkdtempSync(join(tmpdir(), "sealroot-seal-places-"));
const at = (name: string) => join(scratch, name);

let registry: DockerRegistry;
/** Options of our verbs for it. */
let access: string[];
let plain: string;
let sealed: { manifestDigest: string; imageId: string };

before(async () => {
  registry = await startDockerRegistry({ tls: true, login: LOGIN });
  const auth = Buffer.from(`${LOGIN.userName}:${LOGIN.password}`).toString("base64");
  writeFileSync(at("auth.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
  access = ["--authfile", at("auth.json"), "--cert-dir", join(registry.directory, CERTIFICATE_DIRECTORY)];
  plain = await sealableImage(scratch);
  await succeed("keys", "generate", at("keys"));
});
after(async () => {
  await registry.stop();
  unmountBelow(scratch);
  rmSync(scratch, { recursive: true, force: true });
});

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, err);
  return out;
}

const place = (tag: string) => `docker://${registry.host}/os:${tag}`;

async function seal(source: string, output: string, ...words: string[]) {
  return JSON.parse(await succeed("seal", source, "-o", output, "--keys", at("keys"), "--json", ...words));
}

test("seal from a layout gives the digest that the others are compared with", async () => {
  sealed = await seal(plain, `oci:${at("from-layout")}:sealed`);
  assert.match(sealed.imageId, /^[0-9a-f]{128}$/);
});

test("seal from a registry to the same registry, which demands a login over HTTPS", async () => {
  await succeed("image", "copy", plain, place("plain"), ...access);
  const report = await seal(place("plain"), place("sealed"), ...access);
  assert.deepEqual([report.imageId, report.manifestDigest], [sealed.imageId, sealed.manifestDigest]);
  assert.equal(report.reference, place("sealed"));
  const certificates = ["--cert-dir", join(registry.directory, CERTIFICATE_DIRECTORY)];
  const words = ["inspect", "--authfile", at("auth.json"), ...certificates, "--format", "{{.Digest}}", place("sealed")];
  const digest = execFileSync("skopeo", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  assert.equal(digest.trim(), sealed.manifestDigest);
});

test("without the login, seal and install end with one line each, and leave nothing", async () => {
  const certificates = ["--cert-dir", join(registry.directory, CERTIFICATE_DIRECTORY), "--authfile", at("none.json")];
  writeFileSync(at("none.json"), "{}");
  const output = at("no-access");
  const lines = [
    ["seal", place("plain"), "-o", `oci:${output}:t`, "--keys", at("keys")],
    ["seal", plain, "-o", place("refused"), "--keys", at("keys")],
    ["install", "to-disk", output, "--size", "1200M", "--source-imgref", place("sealed")],
  ];
  for (const words of lines) {
    const { exitCode, err } = await run(...words, ...certificates);
    assert.equal(exitCode, 1);
    assert.match(err, /^sealroot: Cannot [^\n]*127\.0\.0\.1[^\n]*\n( {2}\S[^\n]*\n)*$/);
    assert.ok(!existsSync(output));
  }
});

test("install to-disk from the registry makes a disk with the sealed digest", async () => {
  const words = ["install", "to-disk", at("disk.img"), "--size", "1200M", "--source-imgref", place("sealed")];
  const disk = JSON.parse(await succeed(...words, "--json", ...access));
  assert.equal(disk.deploymentId, sealed.imageId);
  assert.equal(disk.manifestDigest, sealed.manifestDigest);
  assert.equal(disk.imageReference, place("sealed"));
});

test("seal from podman's store, whose layers are unpacked, gives the same digest", async () => {
  assert.equal(process.getuid?.(), 0, "stores of the overlay driver need root");
  const store = `[overlay@${at("store")}+${at("store-run")}]`;
  skopeoCopy(plain, `containers-storage:${store}localhost/os:plain`);
  const report = await seal(`containers-storage:${store}localhost/os:plain`, `oci:${at("from-store")}:sealed`);
  assert.equal(report.imageId, sealed.imageId);
});

test("seal from and to archives and directories gives the same image", async () => {
  await succeed("image", "copy", plain, `oci-archive:${at("plain.tar")}:p`);
  const archived = await seal(`oci-archive:${at("plain.tar")}:p`, `oci-archive:${at("sealed.tar")}:s`);
  assert.equal(archived.manifestDigest, sealed.manifestDigest);
  await succeed("image", "copy", plain, `dir:${at("plain")}`);
  const directory = await seal(`dir:${at("plain")}`, `dir:${at("sealed")}`);
  assert.equal(directory.manifestDigest, sealed.manifestDigest);
  skopeoCopy(plain, `docker-archive:${at("docker.tar")}:x/y:z`);
  assert.equal((await seal(`docker-archive:${at("docker.tar")}`, `oci:${at("of-docker")}`)).imageId, sealed.imageId);
});

test("an image that cannot be sealed leaves an output that was there as it was", async () => {
  cpSync(at("from-layout"), at("kept"), { recursive: true });
  const before = readdirSync(at("kept"), { recursive: true }).sort();
  const { exitCode, err } = await run(
    "seal",
    place("sealed"),
    "-o",
    `oci:${at("kept")}:again`,
    "--unsigned",
    ...access,
  );
  assert.equal(exitCode, 1);
  assert.match(err, /it is already sealed/);
  assert.deepEqual(readdirSync(at("kept"), { recursive: true }).sort(), before);
});
