/** `container ukify`: what is in the UKI, what its arguments after -- do, and what is refused. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { toHex } from "../../src/bytes/index.ts";
import { buildImageUki, parseUkifyOptions, RootDirectory } from "../../src/container/index.ts";
import { loadEnrolment } from "../../src/keys/index.ts";
import { findSection, parsePe, readUki, sectionContent, ukiPolicies } from "../../src/pe/index.ts";
import { BOOT_PHASE_PATHS, type PcrSignature } from "../../src/tpm/index.ts";
import { stubImage } from "../bootloader/pe-fixture.ts";
import { run } from "../cli/run-verb.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { type BuildRoot, buildRoot, RELEASE } from "./build-root.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-ukify-"));
const at = (name: string) => join(scratch, name);
let build: BuildRoot;
let kernel: string;
before(async () => {
  build = await buildRoot("@1700000000");
  mkdirSync(join(build.root, "usr/lib/bootc/kargs.d"), { recursive: true });
  writeFileSync(
    join(build.root, "usr/lib/bootc/kargs.d/10-console.toml"),
    'kargs = ["console=ttyS0", "quiet splash"]\n',
  );
  kernel = join(build.root, "usr/lib/modules", RELEASE);
});
after(() => {
  build[Symbol.dispose]();
  rmSync(scratch, { recursive: true });
});

/** Builds one and reads it. @param words before and after -- */
async function made(before: readonly string[], afterwards: readonly string[]) {
  const output = at("made.efi");
  rmSync(output, { force: true });
  const all = ["container", "ukify", "--rootfs", build.root, ...before, "--", "--output", output, ...afterwards];
  const { exitCode, out, err } = await run(...all);
  assert.equal(exitCode, 0, err);
  const bytes = readFileSync(output);
  return { out, err, bytes, uki: readUki(bytes), output };
}

async function refused(before: readonly string[], afterwards: readonly string[]): Promise<string> {
  const { exitCode, out, err } = await run(
    "container",
    "ukify",
    "--rootfs",
    build.root,
    ...before,
    "--",
    ...afterwards,
  );
  assert.notEqual(exitCode, 0);
  assert.equal(out, "");
  return err;
}

async function digest(version: "v1" | "v2"): Promise<string> {
  return (await run("container", "compute-composefs-digest", build.root, "--erofs-version", version)).out.trim();
}

test("the UKI has bootc's command line, the kernel, the initramfs and the os-release of the image", async () => {
  const { uki, out, output } = await made([], []);
  const [v1, v2] = [await digest("v1"), await digest("v2")];
  assert.equal(out, `Wrote unsigned ${output}\n`);
  assert.equal(uki.commandLine, `console=ttyS0 quiet splash composefs.digest=v1-sha512-12:${v1} composefs=${v2}`);
  assert.equal(uki.kernelRelease, RELEASE);
  assert.deepEqual(Buffer.from(uki.kernel), readFileSync(join(kernel, "vmlinuz")));
  assert.deepEqual(Buffer.from(uki.initramfs ?? []), readFileSync(join(kernel, "initramfs.img")));
  assert.deepEqual(Buffer.from(uki.osRelease ?? []), readFileSync(join(build.root, "usr/lib/os-release")));
  assert.equal(statSync(output).mode & 0o777, 0o644);
});

test("--erofs-version, --allow-missing-verity and --karg give the command lines of bootc", async () => {
  const [v1, v2] = [await digest("v1"), await digest("v2")];
  const begin = "console=ttyS0 quiet splash";
  const lineOf = async (...words: string[]) => (await made(words, [])).uki.commandLine;
  assert.equal(await lineOf("--erofs-version", "v2"), `${begin} composefs=${v2}`);
  assert.equal(await lineOf("--erofs-version", "v1-only"), `${begin} composefs.digest=v1-sha512-12:${v1}`);
  const lenient = await lineOf("--allow-missing-verity", "--karg", "a=1", "--karg", "b c");
  assert.equal(lenient, `${begin} composefs.digest=?v1-sha512-12:${v1} composefs=?${v2} a=1 b c`);
});

test("the dump file is of the tree under the digest", async () => {
  await made(["--write-dumpfile-to", at("one.dump")], []);
  await run("container", "compute-composefs-digest", build.root, "--write-dumpfile-to", at("two.dump"));
  assert.deepEqual(readFileSync(at("one.dump")), readFileSync(at("two.dump")));
  assert.match(readFileSync(at("one.dump"), "latin1"), /^\/boot 0 40755 /m);
});

test("times with fractions of a second are told of: no layer keeps them", async () => {
  using fresh = await buildRoot("@1700000000");
  const warnings = async () => {
    const texts: string[] = [];
    await buildImageUki({
      ...{ directory: new RootDirectory(fresh.root), kernelDirectory: undefined, form: "v1", verityOptional: false },
      ...{ kernelArguments: [], initramfs: "image", dumpFile: undefined },
      options: parseUkifyOptions(["--output", at("fractions.efi")]),
      events: (event) => {
        if (event.type === "message") texts.push(event.text);
      },
    });
    return texts;
  };
  assert.deepEqual(await warnings(), []);
  execFileSync("touch", ["--date", "2024-02-03 04:05:06.5 +0000", join(fresh.root, "etc/hostname")]);
  const [text = "", ...others] = await warnings();
  assert.deepEqual(others, []);
  assert.match(text, /^1 files and directories have times with fractions of a second/);
});

test("--json has the report of the schema", async () => {
  const { out } = await made(["--json", "--initramfs", "minimal"], []);
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/container-ukify.json"), "utf8"));
  const report = JSON.parse(out);
  assert.deepEqual(faultsOf(schema, report), []);
  assert.equal(report.commandLine.split(" ").at(-1), "rw");
  assert.equal(report.signed, false);
});

test("--initramfs minimal and extend carry our boot program, which knows the digest", async () => {
  rmSync(join(build.root, "usr/lib/modules", RELEASE, "initramfs.img"));
  const lacking = await refused([], ["--output", at("none.efi")]);
  assert.match(
    lacking,
    /Initramfs not found at \/usr\/lib\/modules\/6\.12\.1-test\/initramfs\.img\n.*--initramfs minimal/,
  );
  const { uki } = await made(["--initramfs", "minimal"], []);
  const v1 = await digest("v1");
  const archive = Buffer.from(uki.initramfs ?? []);
  assert.ok(archive.includes(`composefs.digest=v1-sha512-12:${v1}`));
  assert.match(uki.commandLine ?? "", / composefs=[0-9a-f]{128} rw$/);
});

test("a signature by two files is accepted by sbverify, and the bytes are the same again", async () => {
  const openssl = ["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db/", "-days", "10"];
  execFileSync("openssl", [...openssl, "-keyout", at("db.key"), "-out", at("db.pem")], { stdio: "ignore" });
  execFileSync("openssl", ["x509", "-in", at("db.pem"), "-outform", "der", "-out", at("db.der")]);
  execFileSync("openssl", [
    "pkcs8",
    "-topk8",
    "-nocrypt",
    "-in",
    at("db.key"),
    "-outform",
    "der",
    "-out",
    at("db.key.der"),
  ]);
  const words = (key: string, certificate: string) => [
    ...["--signtool", "sbsign", `--secureboot-private-key=${at(key)}`, "--secureboot-certificate", at(certificate)],
  ];
  const pem = await made(["--initramfs", "minimal"], words("db.key", "db.pem"));
  assert.equal(pem.out, `Wrote signed ${pem.output}\n`);
  execFileSync("sbverify", ["--cert", at("db.pem"), pem.output], { stdio: "ignore" });
  const der = await made(["--initramfs", "minimal"], words("db.key.der", "db.der"));
  assert.deepEqual(der.bytes, pem.bytes);
  const withKernel = await made(["--initramfs", "minimal"], [...words("db.key", "db.pem"), "--sign-kernel"]);
  writeFileSync(at("kernel.efi"), withKernel.uki.kernel);
  execFileSync("sbverify", ["--cert", at("db.pem"), at("kernel.efi")], { stdio: "ignore" });
  const other = await refused(["--initramfs", "minimal"], ["--output", at("x.efi"), ...words("db.key", "db.key")]);
  assert.match(other, /Cannot read the certificate .*db\.key: it is neither PEM nor DER/);
});

test("the parts that ukify puts into other sections are put there", async () => {
  for (const name of ["ucode", "splash", "pcrpkey"]) writeFileSync(at(name), `the ${name}`);
  writeFileSync(at("stub"), stubImage("260.1-1"));
  copyFileSync(join(build.root, "usr/lib/os-release"), join(build.root, "other-release"));
  const { bytes } = await made(
    ["--initramfs", "minimal"],
    [
      ...["--microcode", at("ucode"), "--splash", at("splash"), `--pcrpkey=${at("pcrpkey")}`, "--stub", at("stub")],
      ...[
        "--os-release",
        "ID=other",
        "--uname",
        "6.13.0",
        "--section",
        "extra:@other-release",
        "--section=.text2:words",
        "--sbat=sbat,1,S,sbat,1,https://s\nmine,2,M,m,1,https://m",
      ],
    ],
  );
  rmSync(join(build.root, "other-release"));
  const image = parsePe(bytes);
  const text = (name: string) => {
    const section = findSection(image, name);
    return section === undefined ? undefined : Buffer.from(sectionContent(image, section)).toString();
  };
  assert.deepEqual([text(".ucode"), text(".splash"), text(".pcrpkey")], ["the ucode", "the splash", "the pcrpkey"]);
  assert.deepEqual([text(".osrel"), text(".uname"), text(".text2")], ["ID=other", "6.13.0", "words"]);
  assert.equal(text(".extra"), readFileSync(join(build.root, "usr/lib/os-release"), "utf8"));
  assert.match(text(".sdmagic") ?? "", /systemd-stub 260\.1-1/);
  assert.match(text(".sbat") ?? "", /^sbat,1,SBAT Version,.*\nmine,2,M,m,1,https:\/\/m\n\0$/);
  const wrong = await refused(["--initramfs", "minimal"], ["--output", at("x.efi"), "--sbat", "@usr/lib/os-release"]);
  assert.match(wrong, /Cannot use ukify's --sbat @usr\/lib\/os-release: a line of it is not one of SBAT/);
});

test("--measure prints PCR 11 as systemd-measure does", async () => {
  const { out, bytes } = await made(["--initramfs", "minimal"], ["--measure", "--pcr-banks", "sha256"]);
  const phases = ["enter-initrd", "leave-initrd", "sysinit", "ready"];
  const paths = phases.map((_, index) => phases.slice(0, index + 1).join(":"));
  const lines = out.split("\n");
  assert.deepEqual(
    lines.slice(0, 8).filter((line) => line.startsWith("#")),
    paths.map((path) => `# PCR[11] Phase <${path}>`),
  );
  // Computed here once more, by openssl.
  const image = parsePe(bytes);
  const sha256 = (content: Uint8Array) => execFileSync("openssl", ["dgst", "-sha256", "-binary"], { input: content });
  let register: Uint8Array = Buffer.alloc(32);
  const extend = (content: Uint8Array) => {
    register = sha256(Buffer.concat([register, sha256(content)]));
  };
  for (const name of [".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat"]) {
    const section = findSection(image, name);
    assert.ok(section !== undefined, name);
    extend(Buffer.from(`${name}\0`));
    extend(sectionContent(image, section));
  }
  extend(Buffer.from("enter-initrd"));
  assert.equal(lines[1], `11:sha256=${Buffer.from(register).toString("hex")}`);
  const json = await made(["--initramfs", "minimal"], ["--measure", "--json=pretty", "--phases", "enter-initrd"]);
  const document = JSON.parse(json.out.slice(0, json.out.lastIndexOf("Wrote")));
  assert.deepEqual(Object.keys(document), ["sha1", "sha256", "sha384", "sha512"]);
  assert.deepEqual(document.sha256, [{ phase: "enter-initrd", pcr: 11, hash: Buffer.from(register).toString("hex") }]);
});

test("--pcr-private-key: policies are signed by the key in .pcrpkey, for the phases of its place", async () => {
  for (const name of ["one", "two"]) {
    execFileSync("openssl", ["genrsa", "-out", at(`${name}.key`), "2048"], { stdio: "ignore" });
    execFileSync("openssl", ["rsa", "-in", at(`${name}.key`), "-pubout", "-out", at(`${name}.pub`)], {
      stdio: "ignore",
    });
  }
  const minimal = ["--initramfs", "minimal"];
  const contentOf = (bytes: Uint8Array, name: string) => {
    const section = findSection(parsePe(bytes), name);
    return section && Buffer.from(sectionContent(parsePe(bytes), section)).toString();
  };
  const one = ["--pcr-private-key", at("one.key")];
  const plain = await made(minimal, [...one, "--pcr-banks=sha256,sha384"]);
  assert.equal(contentOf(plain.bytes, ".pcrpkey"), readFileSync(at("one.pub"), "utf8"));
  assert.equal(parsePe(plain.bytes).sections.at(-1)?.name, ".pcrsig");
  const signatures = JSON.parse(contentOf(plain.bytes, ".pcrsig") ?? "");
  assert.deepEqual(Object.keys(signatures), ["sha256", "sha384"]);
  const policies = ukiPolicies(parsePe(plain.bytes), ["sha256"], BOOT_PHASE_PATHS).map(({ digest }) => toHex(digest));
  assert.deepEqual(
    signatures.sha256.map(({ pol }: PcrSignature) => pol),
    policies,
  );
  // The signature by itself, as openssl judges it.
  writeFileSync(at("policy"), Buffer.from(policies[0] ?? "", "hex"));
  writeFileSync(at("policy.sig"), Buffer.from(signatures.sha256[0].sig, "base64"));
  const verified = ["dgst", "-sha256", "-verify", at("one.pub"), "-signature", at("policy.sig"), at("policy")];
  assert.equal(execFileSync("openssl", verified, { encoding: "utf8" }), "Verified OK\n");
  const groups = [
    "--pcr-private-key",
    at("two.key"),
    "--phases",
    "enter-initrd",
    "--phases",
    "enter-initrd:leave-initrd",
  ];
  const both = await made(minimal, [...one, ...groups, "--pcr-banks", "sha256", "--pcrpkey", at("two.pub")]);
  assert.equal(contentOf(both.bytes, ".pcrpkey"), readFileSync(at("two.pub"), "utf8"));
  const ofBoth: PcrSignature[] = JSON.parse(contentOf(both.bytes, ".pcrsig") ?? "").sha256;
  assert.equal(new Set(ofBoth.map(({ pkfp }) => pkfp)).size, 2);
  const wanted = ukiPolicies(parsePe(both.bytes), ["sha256"], BOOT_PHASE_PATHS.slice(0, 2));
  assert.deepEqual(
    ofBoth.map(({ pol }) => pol),
    wanted.map(({ digest }) => toHex(digest)),
  );
  const output = ["--output", at("none.efi")];
  const wrongKey = await refused(minimal, [...output, ...one, "--pcr-public-key", at("two.pub")]);
  assert.match(wrongKey, /two\.pub is of another private key/);
  assert.match(await refused(minimal, [...output, "--pcr-public-key", at("two.pub")]), /one --pcr-public-key for each/);
  assert.match(
    await refused(minimal, [...output, ...one, ...groups.slice(2), "--phases", "x"]),
    /one --phases for each/,
  );
  assert.ok(!existsSync(at("none.efi")));
});

test("arguments that would have no effect here are refused by their names, before any work", async () => {
  const names = [
    "--cmdline",
    "--linux",
    "--pcrsig",
    "--policy-digest",
    "--signing-engine",
    "--profile",
    "--summary",
    "--config",
    "-c",
  ];
  for (const name of names)
    assert.match(
      await refused([], [name, "x"]),
      new RegExp(`Cannot use ukify's --${name.replace(/^--?/, "").replace(/^c$/, "config")}: `),
    );
  assert.match(
    await refused([], ["--nonsense"]),
    /Cannot use "--nonsense" after --: is not an argument of ukify build/,
  );
  assert.match(await refused([], ["vmlinuz"]), /Cannot use "vmlinuz" after --/);
  assert.match(await refused([], []), /ukify's --output is missing/);
  assert.match(await refused([], ["--output"]), /ukify's --output: its value is missing/);
  assert.match(await refused([], ["--output", "x", "--signtool", "pesign"]), /ukify's --signtool pesign/);
  assert.match(
    await refused([], ["--output", "x", "--secureboot-private-key", "k"]),
    /--secureboot-certificate is missing/,
  );
  assert.match(await refused(["--karg", "init=/bin/sh"], ["--output", at("x.efi")]), /"init" is decided by the seal/);
  assert.match(await refused([], ["--output", at("no/where.efi")]), /Cannot write the UKI/);
});

test("what the image enrols must let the signed UKI start", async () => {
  await run("keys", "generate", at("keys"), "--common-name", "other");
  mkdirSync(join(build.root, "usr/lib/bootc/install/secureboot-keys/auto"), { recursive: true });
  const { db } = await loadEnrolment(at("keys"), new Date(0));
  writeFileSync(join(build.root, "usr/lib/bootc/install/secureboot-keys/auto/db.auth"), db);
  const words = ["--secureboot-private-key", at("db.key"), "--secureboot-certificate", at("db.pem")];
  const message = await refused(["--initramfs", "minimal"], ["--output", at("untrusted.efi"), ...words]);
  assert.match(message, /the UKI/);
  rmSync(join(build.root, "usr/lib/bootc/install"), { recursive: true });
});

test("an image that has a UKI is refused, and one without kernel", async () => {
  mkdirSync(join(build.root, "boot/EFI/Linux"), { recursive: true });
  writeFileSync(join(build.root, "boot/EFI/Linux/a.efi"), "MZ");
  const message = await refused([], ["--output", at("x.efi")]);
  assert.match(message, /rootfs already contains a boot image at \/boot\/EFI\/Linux\/a\.efi/);
  rmSync(join(build.root, "boot/EFI"), { recursive: true });
  rmSync(join(kernel, "vmlinuz"));
  assert.match(await refused([], ["--output", at("x.efi")]), /No kernel found in .*--kernel-dir OUTPUT\/VERSION/s);
});
