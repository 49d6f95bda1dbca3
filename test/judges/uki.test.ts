/** systemd's own programs read our UKI, and see in it what we see: ukify, bootctl, systemd-measure of Debian trixie. */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { measurementLines } from "../../src/container/index.ts";
import type { Part } from "../../src/inspect/index.ts";
import { parsePe, sectionContent, ukiPolicies } from "../../src/pe/index.ts";
import {
  BOOT_PHASE_PATHS,
  formatPcrSignatures,
  PCR_BANKS,
  type PcrBank,
  parsePcrSignatures,
  policyKeyPem,
  signPolicies,
} from "../../src/tpm/index.ts";
import { run } from "../cli/run-verb.ts";
import { buildRoot } from "../container/build-root.ts";
import { TrixieTools } from "./trixie-tools.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-judges-"));
const at = (name: string) => join(scratch, name);
after(() => rmSync(scratch, { recursive: true }));

const STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";
/** What systemd-measure takes, each as `--NAME=FILE`. */
const MEASURED = ["linux", "osrel", "cmdline", "initrd", "ucode", "splash", "dtb", "uname", "sbat", "pcrpkey"];

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = {
  private: Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" })),
  public: Buffer.from(policyKeyPem(createPublicKey(privateKey))),
};

let judges: TrixieTools;
let uki: Uint8Array;
let part: Part;
before(async () => {
  judges = await TrixieTools.open();
  using build = await buildRoot("@1700000000");
  const words = ["container", "ukify", "--rootfs", build.root, "--initramfs", "minimal"];
  const { exitCode, err } = await run(...words, "--", "--output", at("uki.efi"), "--stub", judges.path(STUB));
  assert.equal(exitCode, 0, err);
  uki = readFileSync(at("uki.efi"));
  part = JSON.parse((await run("inspect", "--json", at("uki.efi"))).out);
});

const partsOf = (kind: string) => part.parts.filter((below) => below.kind === kind);

/** The arguments and files by which systemd-measure gets the sections of a UKI. */
function measured(program: Uint8Array): { words: string[]; files: Record<string, Uint8Array> } {
  const image = parsePe(program);
  const sections = image.sections.filter(({ name }) => MEASURED.includes(name.slice(1)));
  return {
    words: sections.map(({ name }) => `-${name.replace(".", "-")}=/mnt/${name.slice(1)}`),
    files: Object.fromEntries(sections.map((section) => [section.name.slice(1), sectionContent(image, section)])),
  };
}

test("ukify inspect --json has the sizes, digests and texts of sealroot inspect", async () => {
  const out = await judges.ukify(["inspect", "/mnt/uki.efi", "--all", "--json=short"], { "uki.efi": uki });
  const sections = Object.fromEntries(
    partsOf("section").map(({ name, facts }) => [name, { size: facts.sizeBytes, sha256: facts.sha256 }]),
  );
  const document: Record<string, { size: number; sha256: string }> = JSON.parse(out);
  const theirs = Object.entries(document).map(([name, { size, sha256 }]) => [name, { size, sha256 }]);
  assert.deepEqual(Object.fromEntries(theirs), sections);
  for (const name of [".osrel", ".cmdline", ".uname", ".linux", ".initrd", ".sbat"]) assert.ok(name in document, name);
});

test("ukify inspect prints every section that a UKI has", async () => {
  const shown = [".sbat", ".osrel", ".cmdline", ".uname", ".linux", ".initrd"];
  const out = await judges.ukify(["inspect", "/mnt/uki.efi"], { "uki.efi": uki });
  const wanted = shown.flatMap((name) => {
    const facts = partsOf("section").find((section) => section.name === name)?.facts ?? {};
    const text = typeof facts.text === "string" ? facts.text.split("\n").map((line) => `    ${line}`) : undefined;
    return [
      ...[`${name}:`, `  size: ${facts.sizeBytes} bytes`, `  sha256: ${facts.sha256}`],
      ...(text === undefined ? [] : ["  text:", ...text]),
    ];
  });
  assert.deepEqual(out.trimEnd().split("\n"), wanted);
});

test("bootctl knows it for a UKI, with our command line, kernel and system", async () => {
  assert.equal(await judges.bootctl(["kernel-identify", "/mnt/uki.efi"], { "uki.efi": uki }), "uki\n");
  const out = await judges.bootctl(["kernel-inspect", "/mnt/uki.efi"], { "uki.efi": uki });
  const { commandLine, kernelRelease, os } = part.facts;
  assert.deepEqual(
    out,
    `Kernel Type: uki\n    Cmdline: ${commandLine}\n    Version: ${kernelRelease}\n         OS: ${os}\n`,
  );
});

test("systemd-measure calculate: PCR 11 of every phase, in every bank", async () => {
  const { words, files } = measured(uki);
  const out = await judges.measure(["calculate", ...words], files);
  const ours = measurementLines(uki, { pcrBanks: PCR_BANKS, phases: BOOT_PHASE_PATHS, json: "off" });
  const values = (lines: readonly string[]) => lines.filter((line) => line.startsWith("11:"));
  assert.equal(values(ours).length, 16);
  assert.deepEqual(values(out.split("\n")), values(ours));
  const json = await judges.measure(["calculate", "--json=short", ...words], files);
  const inJson = measurementLines(uki, { pcrBanks: PCR_BANKS, phases: BOOT_PHASE_PATHS, json: "short" });
  assert.deepEqual(JSON.parse(json), JSON.parse(inJson.join("\n")));
});

test("systemd-measure calculate has the values that sealroot inspect shows, right after the stub, too", async () => {
  const { words, files } = measured(uki);
  for (const path of ["", ...BOOT_PHASE_PATHS]) {
    const out = await judges.measure(["calculate", `--phase=${path}`, ...words], files);
    const name = path === "" ? "PCR 11 after the stub" : `PCR 11 at ${path}`;
    const facts = partsOf("measurement").find((below) => below.name === name)?.facts ?? {};
    for (const [bank, value] of Object.entries(facts))
      assert.ok(out.includes(`11:${bank}=${value}\n`), `${path} ${bank}`);
    assert.deepEqual(Object.keys(facts), ["sha256", "sha384", "sha512"]);
  }
});

test("systemd-measure sign: the same signatures of the same policies, in the text that ukify embeds", async () => {
  const { words, files } = measured(uki);
  const options = ["--private-key=/mnt/key.pem", "--public-key=/mnt/key.pub", "--json=short"];
  const keys = { "key.pem": key.private, "key.pub": key.public };
  const out = await judges.measure(["sign", ...options, ...words], { ...files, ...keys });
  const policies = ukiPolicies(parsePe(uki), PCR_BANKS, BOOT_PHASE_PATHS);
  const signer = {
    publicKey: createPublicKey(privateKey),
    sign: async (bytes: Uint8Array, bank: PcrBank) => sign(bank, bytes, createPrivateKey(key.private)),
  };
  const ours = await signPolicies(policies, signer);
  assert.deepEqual(JSON.parse(formatPcrSignatures(ours)), JSON.parse(out));
  assert.deepEqual(parsePcrSignatures(Buffer.from(out), "it"), ours);
  // As ukify writes what it read: json.dumps(json.loads(…)).
  const dumped = await judges.run("/usr/bin/python3", ["-c", DUMP], { "signatures.json": Buffer.from(out) });
  assert.equal(formatPcrSignatures(ours), dumped);
});

const DUMP = "import json,sys; sys.stdout.write(json.dumps(json.load(open('/mnt/signatures.json'))))";
