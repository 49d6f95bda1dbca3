/** Evidence of disks, images and programs by the verb: made, judged alone and beside what is at hand, and hostile files. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { EVIDENCE_MAX_BYTES, type Evidence, readEvidence } from "../../src/evidence/index.ts";
import { stubRegister } from "../../src/evidence/uki-register.ts";
import { expectedUkiPcrs, parsePe, signPe } from "../../src/pe/index.ts";
import { loaderImage } from "../bootloader/pe-fixture.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles, TEST_KEYS, ukiImage } from "../install/sealed-image.ts";
import { type FixtureDisk, FixtureDisks, sealedInitramfs } from "../verify/fixture-disk.ts";
import { schemaFaults } from "./schema.ts";

const disks = new FixtureDisks();
after(() => disks[Symbol.dispose]());
let disk: FixtureDisk;
let folder: string;
const at = (name: string) => join(folder, name);
const SBOM = [{ path: "usr/share" }, { path: "usr/share/os.cdx.json", content: '{"bomFormat":"CycloneDX"}' }];
const read = (name: string): Evidence => readEvidence(readFileSync(at(name)), name);
const TRUSTING = "--insecure-policy";

before(async () => {
  folder = disks.folder();
  disk = await disks.make([...baseFiles(), ...SBOM]);
  process.env.SOURCE_DATE_EPOCH = "1700000000";
});
after(() => delete process.env.SOURCE_DATE_EPOCH);

async function make(name: string, target: string): Promise<Evidence> {
  const { exitCode, err } = await run("verify", target, TRUSTING, "--evidence", at(name));
  assert.deepEqual([exitCode, err], [0, ""]);
  return read(name);
}

async function check(name: string, ...words: string[]) {
  const { exitCode, out, err } = await run("verify", "--check-evidence", at(name), TRUSTING, ...words);
  assert.equal(err, "");
  return { exitCode, out, last: /^(?:verified|BROKEN|every).*/gm.exec(out.slice(out.lastIndexOf("\n\n")))?.[0] ?? out };
}

test("of a disk: image documents out of its repository, lists of software, partitions; the same bytes again", async () => {
  const evidence = await make("disk.json", disk.path);
  assert.deepEqual(schemaFaults("evidence", evidence), []);
  assert.deepEqual([evidence.madeAt, evidence.quote], ["2023-11-14T22:13:20.000Z", null]);
  assert.equal(evidence.source?.reference, "docker://quay.io/example/os:latest");
  assert.equal(evidence.source.layers.length, 2);
  assert.deepEqual(
    evidence.softwareLists.map(({ path, sizeBytes }) => [path, sizeBytes]),
    [["/usr/share/os.cdx.json", 25]],
  );
  assert.deepEqual(
    evidence.images.map(({ id, algorithm }) => [id, algorithm]),
    [[disk.deploymentId, "sha512"]],
  );
  assert.equal(evidence.disk?.partitions.length, 3);
  assert.deepEqual(
    evidence.programs.map(({ role }) => role),
    ["loader", "loader", "uki"],
  );
  const before = readFileSync(at("disk.json"));
  await make("again.json", disk.path);
  assert.deepEqual(readFileSync(at("again.json")), before);
  const alone = await check("disk.json");
  assert.deepEqual(
    [alone.exitCode, alone.last],
    [0, "verified, but for what is marked unchecked; no object was hashed"],
  );
  assert.match(
    alone.out,
    /^unchecked {2}quote .*\n.*there is none: nothing vouches for the evidence but who gave it$/m,
  );
});

test("of an image: what is made of it is the evidence's; another one is not", async () => {
  const evidence = await make("image.json", disk.reference);
  assert.deepEqual([evidence.target.kind, evidence.disk, evidence.source?.reference], ["image", null, disk.reference]);
  assert.deepEqual(evidence.source?.manifestDigest, read("disk.json").source?.manifestDigest);
  assert.equal((await check("image.json", disk.reference)).exitCode, 0);
  // The disk was made of it.
  assert.equal((await check("disk.json", disk.reference)).exitCode, 0);
  const other = await disks.make(baseFiles());
  const { exitCode, last, out } = await check("disk.json", other.reference);
  assert.deepEqual([exitCode, last.slice(0, 29)], [1, "BROKEN at uki beside image oc"]);
  assert.match(out, /^BROKEN +source {2}beside image .*\n.*the image at hand is another one$/m);
  assert.match(out, /^BROKEN +image {2}beside image .*\n.*the evidence does not have it$/m);
});

test("lists of software beside an image in a layout: referrers by their tag and in the index, and cosign's tag", async () => {
  const [, from = "", tag] = /^oci:(.*):([^:]*)$/.exec(disk.reference) ?? [];
  cpSync(from, at("beside"), { recursive: true });
  const reference = `oci:${at("beside")}:${tag}`;
  const index = JSON.parse(readFileSync(at("beside/index.json"), "utf8"));
  const put = (content: string, mediaType: string) => {
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(at(`beside/blobs/sha256/${hex}`), content);
    return { mediaType, digest: `sha256:${hex}`, size: content.length };
  };
  const manifestType = "application/vnd.oci.image.manifest.v1+json";
  const artifact = (subject: object | undefined, artifactType: string, content: string) => {
    const config = put("{}", "application/vnd.oci.empty.v1+json");
    const manifest = { schemaVersion: 2, mediaType: manifestType, artifactType, config, subject };
    const made = JSON.stringify({ ...manifest, layers: [put(content, artifactType)] });
    return { ...put(made, manifestType), artifactType };
  };
  const named = (name: string) => ({ annotations: { "org.opencontainers.image.ref.name": name } });
  const { mediaType, digest, size } = index.manifests[0];
  const subject = { mediaType, digest, size };
  const spdx = artifact(subject, "application/spdx+json", "spdx");
  const notes = artifact(subject, "application/x.note", "note");
  const foreign = artifact({ ...subject, digest: `sha256:${"0".repeat(64)}` }, "text/spdx", "of another image");
  const list = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [spdx, notes, foreign],
  };
  const cyclonedx = artifact(subject, "application/vnd.cyclonedx+xml", "cyclonedx");
  const { artifactType: _, ...cosigned } = artifact(undefined, "text/spdx+json", "cosign's");
  index.manifests.push(
    { ...put(JSON.stringify(list), list.mediaType), ...named(digest.replace(":", "-")) },
    cyclonedx,
    { ...cosigned, ...named(`${digest.replace(":", "-")}.sbom`) },
  );
  writeFileSync(at("beside/index.json"), JSON.stringify(index));
  const evidence = await make("beside.json", reference);
  assert.deepEqual(schemaFaults("evidence", evidence), []);
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  assert.deepEqual(evidence.softwareLists.slice(0, 3), [
    { path: `artifact ${spdx.digest} (application/spdx+json)`, sizeBytes: 4, sha256: sha256("spdx") },
    { path: `artifact ${cyclonedx.digest} (application/vnd.cyclonedx+xml)`, sizeBytes: 9, sha256: sha256("cyclonedx") },
    {
      path: `artifact ${digest.replace(":", "-")}.sbom (text/spdx+json)`,
      ...{ sizeBytes: 8, sha256: sha256("cosign's") },
    },
  ]);
  assert.deepEqual(evidence.softwareLists.slice(3), read("image.json").softwareLists);
  const { exitCode, out } = await check("beside.json");
  assert.equal(exitCode, 0, out);
  assert.ok(out.includes(`list of software artifact ${spdx.digest.slice(0, 19)}`), out);

  // One that cannot be read is said, and breaks nothing.
  writeFileSync(at(`beside/blobs/sha256/${sha256("spdx")}`), "else");
  const { out: report } = await run("verify", reference, TRUSTING, "--evidence", at("unread.json"));
  assert.match(report, /^unchecked {2}source /m);
  assert.deepEqual(read("unread.json").softwareLists, read("image.json").softwareLists);
});

test("of a UKI and of another program", async () => {
  const line = `composefs=${disk.deploymentId} rw`;
  const uki = await signPe(ukiImage(disk.deploymentId, { initramfs: sealedInitramfs(line) }), TEST_KEYS.signer);
  writeFileSync(at("os.efi"), uki);
  const evidence = await make("uki.json", at("os.efi"));
  const [program] = evidence.programs;
  assert.deepEqual([evidence.target.kind, program?.role, program?.commandLine], ["UKI", "uki", line]);
  assert.deepEqual(
    program?.sections?.map(({ name }) => name),
    [".linux", ".osrel", ".cmdline", ".initrd", ".dtb"],
  );
  assert.equal((await check("uki.json", at("os.efi"))).exitCode, 0);
  const register = stubRegister(program?.sections ?? []);
  assert.deepEqual(Buffer.from(register.value), Buffer.from(expectedUkiPcrs(parsePe(uki), "sha256", [""])[0] ?? []));
  writeFileSync(at("loader.efi"), await signPe(loaderImage("257"), TEST_KEYS.signer));
  const loader = await make("loader.json", at("loader.efi"));
  assert.deepEqual([loader.target.kind, loader.programs[0]?.role, loader.images], ["EFI program", "program", []]);
  const { last } = await check("loader.json", at("os.efi"));
  assert.equal(last, `BROKEN at uki beside UKI ${at("os.efi")}: the evidence does not have it`);
});

test("beside the disk: what was changed since is named at its link", async () => {
  assert.equal((await check("disk.json", disk.path)).exitCode, 0);
  const copy = await disks.copyOf(disk);
  copy.writeEsp("EFI/BOOT/BOOTX64.EFI", await signPe(loaderImage("258"), TEST_KEYS.signer));
  const { exitCode, last } = await check("disk.json", copy.path);
  assert.deepEqual([exitCode, last], [1, `BROKEN at loader beside disk ${copy.path}: the evidence does not have it`]);
  const repartitioned = await disks.copyOf(disk);
  repartitioned.setPartitionGuid(1, "99999999-2222-3333-4444-555555555555");
  const other = await check("disk.json", repartitioned.path);
  assert.deepEqual(
    [other.exitCode, other.last],
    [1, `BROKEN at disk beside disk ${repartitioned.path}: the disk at hand is another one`],
  );
});

test("a broken system: evidence of it is made, and is broken", async () => {
  const copy = await disks.copyOf(disk);
  copy.flipEsp("EFI/BOOT/BOOTX64.EFI", 1100);
  const { exitCode } = await run("verify", copy.path, "--evidence", at("broken.json"));
  assert.deepEqual([exitCode, read("broken.json").verdict], [1, "broken"]);
  const { exitCode: checked, last } = await check("broken.json");
  assert.equal(checked, 1);
  assert.match(last, /^BROKEN at evidence of disk .*: what it is about was broken at loader EFI\/BOOT\/BOOTX64\.EFI$/);
});

test("policies are judged on evidence: arguments, signers", async () => {
  const { last } = await check("disk.json", "--require-karg", "lockdown=integrity");
  assert.match(last, /^BROKEN at policy what was demanded: the command line of .* lacks lockdown=integrity$/);
  assert.equal((await check("disk.json", "--require-karg", "rw")).exitCode, 0);
  await run("keys", "generate", at("other"), "--common-name", "other");
  const foreign = await check("disk.json", "--require-key", at("other/db.pem"));
  assert.match(foreign.last, /^BROKEN at policy what was demanded: /);
  assert.match((await check("disk.json", "--keys", at("other"))).last, /^BROKEN at loader EFI\/BOOT\/BOOTX64\.EFI: /);
});

test("options that do not fit are refused before any work, and nothing is written", async () => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["--nonce", "00", disk.path], 2, /Cannot use --nonce: no evidence is made or judged/],
    [["--attestation-key", "k", disk.path], 2, /Cannot use --attestation-key: no evidence is made or judged/],
    [
      ["--evidence", at("x.json"), "--nonce", "00", disk.path],
      2,
      /Cannot use --nonce: only the system that runs can ask its TPM/,
    ],
    [["--evidence", at("x.json"), "--attestation-key", at("k"), "--booted"], 2, /without --nonce the TPM is not asked/],
    [
      ["--check-evidence", at("disk.json"), "--nonce", ""],
      2,
      /Cannot use the nonce: it has 0 bytes, 1 to 64 are wanted/,
    ],
    [["--check-evidence", at("disk.json"), "--nonce", "x".repeat(65)], 2, /it has 65 bytes/],
    [
      ["--check-evidence", at("disk.json"), "--evidence", at("x.json")],
      2,
      /--evidence and --check-evidence exclude each other/,
    ],
    [["--evidence", disk.path, disk.path], 2, /Cannot write evidence .*: it is what is verified/],
    [["--evidence", at("nowhere/x.json"), disk.path], 1, /Cannot write evidence/],
    [["--check-evidence", at("none.json")], 1, /Cannot read .*none\.json/],
    [["--check-evidence", at("disk.json"), "--attestation-key", at("disk.json")], 1, /it is not a public key in PEM/],
    [["--check-evidence", at("disk.json"), "--booted", disk.path], 2, /one thing is to be verified/],
  ];
  for (const [words, code, says] of cases) {
    const { exitCode, err } = await run("verify", ...words);
    assert.equal(exitCode, code, words.join(" "));
    assert.match(err, says, words.join(" "));
  }
  assert.ok(!existsSync(at("x.json")) && !existsSync(at("k")));
});

test(
  "without a TPM a quote is refused before any work",
  { skip: existsSync("/dev/tpmrm0") && "it has one" },
  async () => {
    const { exitCode, err } = await run("verify", "--booted", "--evidence", at("x.json"), "--nonce", "00");
    assert.deepEqual([exitCode, /Cannot ask the TPM: this machine has none of version 2\.0/.test(err)], [1, true], err);
    assert.ok(!existsSync(at("x.json")));
  },
);

test("files that are no evidence, and hostile ones, are one error each", () => {
  const good = read("disk.json");
  const refused = (value: unknown, says: RegExp, code = "corrupt") => {
    const bytes = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value));
    assert.throws(() => readEvidence(bytes, "x.json"), { code, message: says });
  };
  refused(Buffer.from(""), /it is not JSON/);
  refused(Buffer.from("[".repeat(100_000)), /it is not JSON|nested deeper/);
  refused(Buffer.from(`{"format": 1, "format": 2}`), /the key "format" occurs twice/);
  refused(Buffer.alloc(EVIDENCE_MAX_BYTES + 1, " "), /it has 33554433 bytes/);
  refused({ format: "sealroot-evidence/2" }, /its format is not known here/, "unsupported");
  refused([], /its format is not known here/, "unsupported");
  refused({ ...good, more: 1 }, /more: /);
  refused({ ...good, links: Array.from({ length: 5000 }, () => good.links[0]) }, /has more than 4096 items/);
  refused({ ...good, madeBy: "x".repeat(70_000) }, /madeBy: is too long/);
  refused({ ...good, madeAt: "yesterday" }, /madeAt: is not a time/);
  refused({ ...good, source: { ...good.source, manifest: "not base64!" } }, /source\.manifest: is not base64/);
  refused({ ...good, programs: [{ ...good.programs[0], sizeBytes: -1 }] }, /programs\.0\.sizeBytes/);
  refused({ ...good, disk: { guid: "x", partitions: [] } }, /disk\.guid: is not a GUID/);
  refused({ ...good, quote: { nonce: "0" } }, /quote\./);
  for (const key of Object.keys(good))
    refused({ ...good, [key]: undefined }, /./, key === "format" ? "unsupported" : "corrupt");
});
