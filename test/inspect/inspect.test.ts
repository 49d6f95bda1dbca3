/** `inspect`: everything that something has is shown, and what is broken hides nothing else. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { readDiskPartitions } from "../../src/disk/index.ts";
import type { Part } from "../../src/inspect/index.ts";
import { parsePe } from "../../src/pe/index.ts";
import { loaderImage, peImage, stubImage } from "../bootloader/pe-fixture.ts";
import { run } from "../cli/run-verb.ts";
import { baseFiles, sealImage } from "../install/sealed-image.ts";
import { sealableImage } from "../seal/sealable-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-inspect-"));
const at = (name: string) => join(scratch, name);
after(() => rmSync(scratch, { recursive: true }));

async function inspect(...words: string[]): Promise<Part> {
  const { exitCode, out, err } = await run("inspect", "--insecure-policy", "--json", ...words);
  assert.equal(exitCode, 0, err);
  return JSON.parse(out);
}

const partsOf = (part: Part, kind: string) => part.parts.filter((below) => below.kind === kind);

/** The part with this beginning of a name. */
function partNamed(part: Part, kind: string, name: string): Part {
  const found = partsOf(part, kind).find((below) => below.name.startsWith(name));
  assert.ok(found !== undefined, `${kind} ${name} of ${JSON.stringify(part.parts.map((below) => below.name))}`);
  return found;
}

let disk: string;
let sealed: string;
before(async () => {
  const image = await sealImage(scratch, baseFiles());
  sealed = image.reference;
  disk = at("disk.img");
  const words = [
    "--source-imgref",
    sealed,
    "--size",
    "1200M",
    "--insecure-policy",
    "--target-imgref",
    "quay.io/example/os:1",
  ];
  const made = await run("install", "to-disk", disk, ...words);
  assert.equal(made.exitCode, 0, made.err);
});

test("an image: manifest, labels, layers and what made them", async () => {
  const part = await inspect(await sealableImage(scratch));
  assert.equal(part.kind, "image");
  assert.deepEqual([part.facts.architecture, part.facts.os, part.facts.labels], ["amd64", "linux", ["kept=yes"]]);
  assert.deepEqual([part.facts.sealed, part.facts.created], [false, "2020-09-13T12:26:40Z"]);
  const [layer, ...others] = partsOf(part, "layer");
  assert.deepEqual(others, []);
  assert.deepEqual([layer?.facts.createdBy, layer?.error], ["made up", undefined]);
  assert.match(String(layer?.facts.diffId), /^sha256:[0-9a-f]{64}$/);
  assert.ok(Number(part.facts.sizeBytes) > Number(layer?.facts.sizeBytes));
});

test("a sealed image has its UKI, a layout needs no tag if there is one image", async () => {
  const part = await inspect(sealed);
  assert.equal(part.facts.sealed, true);
  const uki = partNamed(part, "UKI", "the sealed UKI");
  assert.match(String(uki.facts.commandLine), /^composefs=[0-9a-f]{128} /);
  const names = partsOf(uki, "section").map(({ name }) => name);
  for (const name of [".osrel", ".cmdline", ".linux", ".initrd"]) assert.ok(names.includes(name), name);
  const directory = sealed.replace(/^oci:(.*):[^:]*$/, "$1");
  assert.deepEqual((await inspect(directory)).facts, part.facts);
});

test("EFI programs are told apart, with versions, texts and checksums that sha256sum has", async () => {
  const cmdline = peImage({
    ".cmdline": "quiet composefs=abc\0\n",
    ".sdmagic": "#### LoaderInfo: systemd-addon 258 ####",
  });
  const programs = {
    loader: loaderImage("257.13-1"),
    stub: stubImage("260~rc1"),
    addon: cmdline,
    other: peImage({ ".text": "x" }),
  };
  for (const [name, bytes] of Object.entries(programs)) writeFileSync(at(`${name}.efi`), bytes);
  const kinds = await Promise.all(Object.keys(programs).map((name) => inspect(at(`${name}.efi`))));
  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    ["boot loader", "EFI stub", "add-on", "EFI program"],
  );
  const [loader, stub, addon] = kinds;
  assert.deepEqual([loader?.facts.systemd, stub?.facts.systemd], ["systemd-boot 257.13-1", "systemd-stub 260~rc1"]);
  assert.equal(addon?.facts.commandLine, "quiet composefs=abc");
  assert.ok(stub !== undefined);
  const sbat = partNamed(stub, "section", ".sbat");
  assert.equal(sbat.facts.text, "sbat,1,SBAT Version");
  const sum = execFileSync("sha256sum", { input: "sbat,1,SBAT Version\n", encoding: "utf8" }).slice(0, 64);
  assert.equal(sbat.facts.sha256, sum);
});

test("signatures and their certificates, and the digest that osslsigncode computes", async () => {
  const openssl = ["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=the db/", "-days", "10"];
  execFileSync("openssl", [...openssl, "-keyout", at("db.key"), "-out", at("db.pem")], { stdio: "ignore" });
  writeFileSync(at("plain.efi"), loaderImage("257"));
  const signer = ["--key", at("db.key"), "--cert", at("db.pem")];
  execFileSync("sbsign", [...signer, "--output", at("signed.efi"), at("plain.efi")], { stdio: "ignore" });
  const part = await inspect(at("signed.efi"));
  const signature = partNamed(part, "signature", "1");
  assert.equal(signature.facts.imageDigest, part.facts.authenticodeSha256);
  const certificate = partNamed(signature, "certificate", "CN=the db");
  const shown = execFileSync("openssl", ["x509", "-in", at("db.pem"), "-noout", "-fingerprint", "-sha256"], {
    encoding: "utf8",
  });
  const fingerprint = shown.split("=")[1]?.replaceAll(":", "").trim().toLowerCase();
  assert.deepEqual([certificate.facts.fingerprintSha256, certificate.facts.rsaBits], [fingerprint, 2048]);
  const bytes = readFileSync(at("signed.efi"));
  const contentInfo = parsePe(bytes).unsignedEnd + 8;
  bytes.fill(0xff, contentInfo + 4, contentInfo + 8);
  writeFileSync(at("broken.efi"), bytes);
  const broken = await inspect(at("broken.efi"));
  assert.equal(partNamed(broken, "signature", "1").error?.code, "corrupt");
  assert.deepEqual(partsOf(broken, "section"), partsOf(part, "section"));
});

test("a disk: partitions with their fill, programs and entries of the ESP, deployments", async () => {
  const part = await inspect(disk);
  assert.equal(part.facts.sizeBytes, 1200 * 1024 * 1024);
  const { partitions } = await readDiskPartitions(disk);
  assert.deepEqual(
    partsOf(part, "partition").map(({ facts }) => facts.startBytes),
    partitions.map(({ startBytes }) => startBytes),
  );
  const types = partsOf(part, "partition").map(({ facts }) => [facts.type, facts.fileSystem]);
  assert.deepEqual(types, [
    ["BIOS boot", "unknown"],
    ["EFI system", "FAT"],
    ["root (x86-64)", "ext4"],
  ]);
  const [, esp, root] = partsOf(part, "partition");
  assert.ok(esp !== undefined && root !== undefined);
  assert.equal(partsOf(esp, "UKI").length, 1);
  assert.equal(partsOf(esp, "boot loader").length, 2);
  const entry = partNamed(esp, "boot entry", "/loader/entries/");
  const [deployment] = partsOf(root, "deployment");
  assert.ok(deployment !== undefined);
  assert.match(String(entry.facts.efi), new RegExp(deployment.name));
  assert.deepEqual([deployment.facts.image, deployment.facts.bootType], ["docker://quay.io/example/os:1", "uki"]);
  assert.ok(Array.isArray(root.facts.images) && root.facts.images.includes(deployment.name));
  assert.equal(Number(root.facts.usedBytes) + Number(root.facts.freeBytes) <= Number(root.facts.sizeBytes), true);
  assert.equal(root.facts.state, "clean");
});

test("a boot entry has PCR 4 of loader and UKI, and PCR 12 of nothing; with a credential PCR 12 is unknown", async () => {
  const espOf = (part: Part) => {
    const esp = partsOf(part, "partition")[1];
    assert.ok(esp !== undefined);
    return esp;
  };
  const esp = espOf(await inspect(disk));
  const entry = partNamed(esp, "boot entry", "/loader/entries/");
  const digestOf = (part: Part) => Buffer.from(String(part.facts.authenticodeSha256), "hex");
  const programs = [partNamed(esp, "boot loader", "/EFI/BOOT/"), partNamed(esp, "UKI", "/EFI/Linux/")].map(digestOf);
  const sha256 = (...bytes: readonly Uint8Array[]) => createHash("sha256").update(Buffer.concat(bytes)).digest();
  const events = [Buffer.from("Calling EFI Application from Boot Option"), Buffer.alloc(4)].map((bytes) =>
    sha256(bytes),
  );
  const pcr4 = [...events, ...programs].reduce<Uint8Array>((register, one) => sha256(register, one), Buffer.alloc(32));
  const measured = partsOf(entry, "measurement");
  assert.deepEqual(
    measured.map(({ name, facts }) => [name, facts.sha256]),
    [
      ["PCR 4", Buffer.from(pcr4).toString("hex")],
      ["PCR 12", "00".repeat(32)],
    ],
  );
  copyFileSync(disk, at("credential.img"));
  writeFileSync(at("a.cred"), "x");
  const { startBytes } = esp.facts;
  const mtools = ["-i", `${at("credential.img")}@@${startBytes}`];
  execFileSync("mmd", [...mtools, "::/loader/credentials"]);
  execFileSync("mcopy", [...mtools, at("a.cred"), "::/loader/credentials/"]);
  const other = partNamed(espOf(await inspect(at("credential.img"))), "boot entry", "/loader/entries/");
  assert.deepEqual(
    partsOf(other, "measurement").map(({ name }) => name),
    ["PCR 4"],
  );
});

test("a disk with broken parts shows all others", async () => {
  const copy = at("damaged.img");
  copyFileSync(disk, copy);
  const { partitions } = await readDiskPartitions(disk);
  const [, esp, root] = partitions;
  assert.ok(esp !== undefined && root !== undefined);
  const fd = openSync(copy, "r+");
  const zero = (offset: number) => writeSync(fd, Buffer.alloc(4096), 0, 4096, offset);
  zero(root.startBytes + 1024 + 0x3f0); // the end of the superblock, and what is behind it
  const part = await inspect(copy);
  const [, espPart, rootPart] = partsOf(part, "partition");
  assert.equal(rootPart?.error?.code, "corrupt");
  assert.equal(espPart?.error, undefined);
  assert.equal(espPart && partsOf(espPart, "UKI").length, 1);
  const { out } = await run("inspect", copy);
  assert.match(out, /^ {6}unreadable {2,}Cannot read the root file system: /m);
  zero(esp.startBytes);
  assert.equal(partsOf(await inspect(copy), "partition").length, 3);
  truncateSync(copy, root.startBytes + 100);
  assert.equal(partsOf(await inspect(copy), "partition").length, 3);
  truncateSync(copy, 512 + 92);
  assert.match((await inspect(copy)).error?.message ?? "", /GUID partition table/);
  closeSync(fd);
});

test("directories, EROFS images and dump files", async () => {
  mkdirSync(at("tree/usr/lib/modules/6.1"), { recursive: true });
  writeFileSync(at("tree/usr/lib/os-release"), 'PRETTY_NAME="An OS"\n');
  writeFileSync(at("tree/usr/lib/modules/6.1/vmlinuz"), "x");
  const directory = await inspect(at("tree"));
  assert.deepEqual(directory.facts, { os: "An OS", kernel: "6.1", kernelType: "vmlinuz" });
  writeFileSync(at("a.dump"), "/ 0 40755 2 0 0 0 0.0 - - -\n/a 0 100644 1 0 0 0 0.0 - - -\n");
  assert.deepEqual((await inspect(at("a.dump"))).facts, { directories: 1, otherNames: 1 });
  const erofs = await run("repo", "mkcomposefs", "--from-file", at("a.dump"), at("a.erofs"));
  assert.equal(erofs.exitCode, 0, erofs.err);
  const image = await inspect(at("a.erofs"));
  assert.deepEqual([image.kind, image.facts.directories, image.facts.otherNames], ["EROFS image", 1, 1]);
});

test("what is nothing of ours, or not there, is refused with what to write", async () => {
  writeFileSync(at("text"), "words");
  const text = await run("inspect", at("text"));
  assert.equal(text.exitCode, 1);
  assert.match(text.err, /Cannot inspect .*text: it is no image, disk, EFI program or tree/);
  execFileSync("tar", ["-cf", at("a.tar"), "-C", scratch, "text"]);
  assert.match((await run("inspect", at("a.tar"))).err, /write oci-archive:.*a\.tar/);
  assert.match((await run("inspect", at("nowhere"))).err, /there is no such file\n.*oci:DIR:TAG/s);
  writeFileSync(at("mz.efi"), "MZ and no more");
  const broken = await inspect(at("mz.efi"));
  assert.deepEqual([broken.kind, broken.error?.code], ["EFI program", "corrupt"]);
});

test("the tree is drawn with lines, texts of several lines below each other", async () => {
  writeFileSync(at("drawn.efi"), peImage({ ".cmdline": "quiet", ".osrel": "ID=a\nVERSION_ID=1\n" }));
  const { out } = await run("inspect", at("drawn.efi"));
  const digest = /authenticode SHA-256 {2}([0-9a-f]{64})/.exec(out)?.[1];
  const sums = [...out.matchAll(/ SHA-256 {2}([0-9a-f]{64})$/gm)].map(([, sum]) => sum);
  const size = readFileSync(at("drawn.efi")).length;
  const wanted = `add-on ${at("drawn.efi")}
│  size                  2.00 KiB (${size})
│  architecture          x64
│  command line          quiet
│  OS                    a
│  OS version            1
│  authenticode SHA-256  ${digest}
├─ section .cmdline
│     size     5 B (5)
│     offset   1024
│     text     quiet
│     SHA-256  ${sums[1]}
└─ section .osrel
      size     18 B (18)
      offset   1536
      text     ID=a
               VERSION_ID=1
      SHA-256  ${sums[2]}
`;
  assert.equal(out, wanted);
});
