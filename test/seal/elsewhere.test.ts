/** Signing elsewhere, the whole way: what is handed out, what each kind of signer gives back, and what is refused of it. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { addLayer } from "../../examples/debian/add-layer.ts";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { openImage } from "../../src/images/index.ts";
import { parseReference } from "../../src/oci/index.ts";
import { authenticodeDigest, parsePe } from "../../src/pe/index.ts";
import type { ToSign } from "../../src/seal/index.ts";
import { writeTar } from "../../src/tar/index.ts";
import { run } from "../cli/run-verb.ts";
import { SOFT_HSM_MODULE, type SoftHsm, softHsm } from "../keys/soft-hsm.ts";
import { sbverifyAccepts } from "../pe/boot-files.ts";
import { sealableImage } from "./sealable-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-elsewhere-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const PIN = "10203040";
const LOADER = "/boot/EFI/systemd/systemd-bootx64.efi";
let hsm: SoftHsm;
let list: ToSign;

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, err);
  return out;
}

before(async () => {
  const plain = await sealableImage(scratch);
  await succeed("keys", "generate", at("keys"), "--common-name", "elsewhere");
  await succeed("keys", "generate", at("other"), "--common-name", "other");
  // The build machine has what is public.
  cpSync(at("keys"), at("public"), { recursive: true });
  for (const key of globSync("*.key", { cwd: at("public") })) rmSync(join(at("public"), key));
  hsm = softHsm(at("hsm"));
  hsm.addToken("sealing", PIN);
  hsm.importKey("sealing", PIN, { path: at("keys/db.key"), label: "db", id: "01" });
  const words = ["--unsigned", "--keys", at("public"), "--to-sign", at("to-sign")];
  await succeed("seal", plain, "-o", `oci:${at("open")}`, ...words);
  list = JSON.parse(readFileSync(at("to-sign/to-sign.json"), "utf8"));
});

test("what is to be signed lies in a directory, whole, with a list that says what it is", async () => {
  const image = await openImage(parseReference(`oci:${at("open")}`));
  await image.close();
  const [loader, uki, ...others] = list.files;
  assert.ok(loader !== undefined && uki !== undefined);
  assert.deepEqual(others, []);
  const fingerprint = execFileSync("openssl", ["x509", "-in", at("keys/db.pem"), "-outform", "DER"]);
  assert.deepEqual(
    { ...list, files: [] },
    {
      version: 1,
      image: `oci:${at("open")}:latest`,
      manifestDigest: image.descriptor.digest,
      certificate: {
        subject: "CN=elsewhere db",
        fingerprintSha256: createHash("sha256").update(fingerprint).digest("hex"),
      },
      files: [],
    },
  );
  assert.deepEqual([loader.kind, loader.path, uki.kind], ["loader", LOADER, "uki"]);
  assert.match(uki.path, /^\/boot\/EFI\/Linux\/.*\.efi$/);
  for (const file of list.files) {
    const bytes = readFileSync(at(`to-sign/${file.name}`));
    const attributes = readFileSync(at(`to-sign/${file.attributes}`));
    assert.equal(bytes.length, file.sizeBytes);
    assert.equal(createHash("sha256").update(bytes).digest("hex"), file.sha256);
    assert.equal(createHash("sha256").update(attributes).digest("hex"), file.attributesSha256);
    assert.equal(Buffer.from(authenticodeDigest(parsePe(bytes))).toString("hex"), file.authenticodeSha256);
    // What another signer would sign of the file: its own SpcIndirectData ends in the same digest.
    const words = ["extract-data", "-h", "sha256", "-in", at(`to-sign/${file.name}`), "-out", at("data")];
    execFileSync("osslsigncode", words, { stdio: "ignore" });
    assert.ok(readFileSync(at("data")).includes(Buffer.from(file.authenticodeSha256, "hex")));
    assert.ok(readFileSync(at(`to-sign/${file.content}`)).includes(Buffer.from(file.authenticodeSha256, "hex")));
    rmSync(at("data"));
  }
  assert.deepEqual(
    readdirSync(at("to-sign")).sort(),
    ["to-sign.json", ...list.files.flatMap(({ name, attributes, content }) => [name, attributes, content])].sort(),
  );
});

/** How others sign, from a file of the directory to another. */
const SIGNERS: Readonly<Record<string, (directory: string, name: string, keys: string) => void>> = {
  sbsign: (directory, name, keys) =>
    tool(
      "sbsign",
      "--key",
      `${keys}/db.key`,
      "--cert",
      `${keys}/db.pem`,
      "--output",
      `${directory}/${name}`,
      at(`to-sign/${name}`),
    ),
  osslsigncode: (directory, name, keys) =>
    tool(
      "osslsigncode",
      "sign",
      "-h",
      "sha256",
      "-certs",
      `${keys}/db.pem`,
      "-key",
      `${keys}/db.key`,
      "-in",
      at(`to-sign/${name}`),
      "-out",
      `${directory}/${name}`,
    ),
  "sbsign --detached": (directory, name, keys) =>
    tool(
      "sbsign",
      "--detached",
      "--key",
      `${keys}/db.key`,
      "--cert",
      `${keys}/db.pem`,
      "--output",
      `${directory}/${name}.pk7`,
      at(`to-sign/${name}`),
    ),
  "openssl cms": (directory, name, keys) => cms(directory, name, keys, "DER", "-nodetach"),
  "openssl cms, detached, PEM": (directory, name, keys) => cms(directory, name, keys, "PEM"),
  "openssl cms, without certificate": (directory, name, keys) => cms(directory, name, keys, "DER", "-nocerts"),
  "openssl dgst": (directory, name, keys) =>
    tool(
      "openssl",
      "dgst",
      "-sha256",
      "-sign",
      `${keys}/db.key`,
      "-out",
      `${directory}/${name}.sig`,
      at(`to-sign/${name}.attributes`),
    ),
  "openssl dgst, base64": (directory, name, keys) => {
    const signature = execFileSync("openssl", [
      "dgst",
      "-sha256",
      "-sign",
      `${keys}/db.key`,
      at(`to-sign/${name}.attributes`),
    ]);
    writeFileSync(`${directory}/${name}.txt`, `${signature.toString("base64")}\n`);
  },
};

function cms(directory: string, name: string, keys: string, form: string, ...words: string[]): void {
  const type = ["-econtent_type", "1.3.6.1.4.1.311.2.1.4", "-md", "sha256", "-nosmimecap", "-binary"];
  const key = ["-signer", `${keys}/db.pem`, "-inkey", `${keys}/db.key`];
  const files = ["-in", at(`to-sign/${name}.content`), "-out", `${directory}/${name}.p7s`];
  tool("openssl", "cms", "-sign", ...type, ...key, ...words, "-outform", form, ...files);
}

function pkcs11Tool(directory: string, name: string): void {
  const login = ["--module", SOFT_HSM_MODULE, "--token-label", "sealing", "--login", "--pin", PIN];
  const sign = ["--sign", "-m", "SHA256-RSA-PKCS", "--id", "01"];
  const files = ["--input-file", at(`to-sign/${name}.attributes`), "--output-file", `${directory}/${name}.sig`];
  tool("pkcs11-tool", ...login, ...sign, ...files);
}

function tool(name: string, ...words: string[]): void {
  const { status, stdout, stderr } = spawnSync(name, words, { env: hsm.environment, encoding: "utf8" });
  assert.equal(status, 0, `${name} ${words.join(" ")}: ${stdout}${stderr}`);
}

/** The files of an image's own layer, by their paths. */
function layerFiles(reference: string, directory: string): Map<string, Buffer> {
  const layout = reference.slice("oci:".length).replace(/:latest$/, "");
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const blob = (digest: string) => join(layout, "blobs", digest.replace(":", "/"));
  const manifest = JSON.parse(readFileSync(blob(index.manifests.at(-1).digest), "utf8"));
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  execFileSync("tar", ["-xzf", blob(manifest.layers.at(-1).digest), "-C", directory, "--no-same-owner"]);
  const files = globSync("boot/**/*.efi", { cwd: directory });
  return new Map(files.map((path) => [`/${path}`, readFileSync(join(directory, path))]));
}

async function attached(name: string, directory: string, ...words: string[]): Promise<Map<string, Buffer>> {
  const out = await succeed(
    "seal",
    "attach",
    `oci:${at("open")}`,
    directory,
    "-o",
    `oci:${at(name)}`,
    "--json",
    ...words,
  );
  assert.deepEqual(
    JSON.parse(out).attached,
    list.files.map(({ path }) => path),
  );
  const files = layerFiles(`oci:${at(name)}`, at(`${name}-files`));
  assert.deepEqual([...files.keys()].sort(), list.files.map(({ path }) => path).sort());
  for (const [path, bytes] of files) {
    writeFileSync(at("signed.efi"), bytes);
    assert.ok(sbverifyAccepts(at("signed.efi"), at("keys/db.pem")), `${name}: sbverify ${path}`);
    const judged = spawnSync("osslsigncode", ["verify", "-CAfile", at("keys/db.pem"), "-in", at("signed.efi")]);
    assert.equal(judged.status, 0, `${name}: ${judged.stdout}${judged.stderr}`);
  }
  return files;
}

for (const [name, sign] of Object.entries(SIGNERS)) {
  test(`${name}: loader and UKI come back, and make an image that firmware accepts`, async () => {
    const directory = at(`returned ${name}`);
    mkdirSync(directory);
    for (const { name: file } of list.files) sign(directory, file, at("keys"));
    await attached(`sealed-${name.replaceAll(/[^a-z0-9]+/g, "-")}`, directory, "--keys", at("public"));
    // By another key than the one that is wanted, whatever the form.
    const foreign = at(`foreign ${name}`);
    mkdirSync(foreign);
    for (const { name: file } of list.files) sign(foreign, file, at("other"));
    const refused = await run(
      "seal",
      "attach",
      `oci:${at("open")}`,
      foreign,
      "-o",
      `oci:${at("refused")}`,
      "--keys",
      at("public"),
    );
    assert.match(refused.err, /certificate "CN=other db" is neither trusted|it signs none of the image's programs/);
    assert.equal(refused.exitCode, 1);
    assert.ok(!existsSync(at("refused")));
  });
}

test("a token signs by pkcs11-tool what it signs for seal itself, byte for byte", async () => {
  mkdirSync(at("by-token"));
  for (const { name } of list.files) pkcs11Tool(at("by-token"), name);
  const byTool = await attached("by-pkcs11-tool", at("by-token"), "--certificate", at("keys/db.pem"));
  writeFileSync(at("pin"), PIN);
  const key = `pkcs11:token=sealing;object=db?module-path=${SOFT_HSM_MODULE}&pin-source=file:${at("pin")}`;
  const plain = `oci:${at("sealable")}:plain`;
  await succeed("seal", plain, "-o", `oci:${at("direct")}`, "--keys", at("public"), "--key", key);
  await succeed("seal", plain, "-o", `oci:${at("by-file")}`, "--keys", at("keys"));
  const manifest = (name: string) => JSON.parse(readFileSync(at(`${name}/index.json`), "utf8")).manifests[0].digest;
  assert.equal(manifest("direct"), manifest("by-file"));
  const [uki] = list.files.filter(({ kind }) => kind === "uki");
  assert.ok(byTool.has(uki?.path ?? ""));
  // Signed files in the same directory as what was handed out: what is not signed there is passed over.
  cpSync(at("to-sign"), at("in-place"), { recursive: true });
  for (const { name } of list.files) cpSync(at(`by-token/${name}.sig`), at(`in-place/${name}.sig`));
  const again = await attached("in-place-done", at("in-place"), "--certificate", at("keys/db.pem"));
  assert.deepEqual(again, byTool);
});

test("the files one by one, and one of them alone: the other is warned of", async () => {
  const [loader, uki] = list.files;
  assert.ok(loader !== undefined && uki !== undefined);
  mkdirSync(at("single"));
  SIGNERS.sbsign?.(at("single"), uki.name, at("keys"));
  SIGNERS["openssl dgst"]?.(at("single"), loader.name, at("keys"));
  const words = [join(at("single"), uki.name), join(at("single"), `${loader.name}.sig`)];
  await succeed("seal", "attach", `oci:${at("open")}`, ...words, "--keys", at("public"), "-o", `oci:${at("both")}`);
  const first = await run("seal", "attach", `oci:${at("open")}`, words[0] ?? "", "-o", `oci:${at("first")}`);
  assert.equal(first.exitCode, 0, first.err);
  await succeed(
    "seal",
    "attach",
    `oci:${at("first")}`,
    words[1] ?? "",
    "--keys",
    at("public"),
    "-o",
    `oci:${at("second")}`,
  );
  assert.deepEqual(layerFiles(`oci:${at("second")}`, at("x")), layerFiles(`oci:${at("both")}`, at("y")));
});

test("what does not belong to the image, is changed, twice there or not to be read is refused", async () => {
  const [loader] = list.files;
  assert.ok(loader !== undefined);
  mkdirSync(at("bad"));
  SIGNERS.sbsign?.(at("bad"), loader.name, at("keys"));
  SIGNERS["openssl dgst"]?.(at("bad"), loader.name, at("keys"));
  const signed = join(at("bad"), loader.name);
  const flipped = readFileSync(signed);
  flipped.writeUInt8(flipped.readUInt8(0x205) ^ 1, 0x205);
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [[signed, `${signed}.sig`, "--keys", at("public")], 1, /\.sig: \S+ is a signature of the boot loader, too\n/],
    [[write("flipped.efi", flipped)], 1, /flipped\.efi: it is none of the image's programs\n/],
    [[at(`to-sign/${loader.name}`)], 1, /Cannot attach the boot loader: it is not signed\n/],
    [[`${signed}.sig`], 2, /a bare signature needs its certificate\n/],
    [
      [write("noise.sig", Buffer.alloc(256, 7)), "--keys", at("public")],
      1,
      /noise\.sig: it signs none of the image's programs\n/,
    ],
    [[write("text.txt", Buffer.from("hello\n"))], 1, /text\.txt: it is no signed program and no signature\n/],
    [[write("empty", Buffer.alloc(0))], 1, /empty: it is no signed program and no signature\n/],
    [[at("to-sign")], 1, /nothing in \S+to-sign is signed\n/],
    [[at("none")], 1, /^sealroot: Cannot read what was signed/],
    [
      [
        write(
          "data.p7s",
          execFileSync(
            "openssl",
            ["cms", "-sign", "-signer", at("keys/db.pem"), "-inkey", at("keys/db.key"), "-outform", "DER"],
            { input: "x" },
          ),
        ),
      ],
      1,
      /it is of content type 1\.2\.840\.113549\.1\.7\.1\n/,
    ],
  ];
  for (const [words, code, message] of cases) {
    const refused = await run("seal", "attach", `oci:${at("open")}`, ...words, "-o", `oci:${at("refused")}`);
    assert.match(refused.err, message);
    assert.equal(refused.exitCode, code, refused.err);
    assert.ok(!existsSync(at("refused")));
  }
});

function write(name: string, bytes: Uint8Array): string {
  writeFileSync(at(name), bytes);
  return at(name);
}

test("--to-sign takes a new directory only, and goes with --unsigned", async () => {
  const plain = `oci:${at("sealable")}:plain`;
  const again = await run("seal", plain, "-o", `oci:${at("again")}`, "--unsigned", "--to-sign", at("to-sign"));
  assert.match(again.err, /^sealroot: Cannot write what is to be signed to \S+to-sign: it is not empty\n/);
  const signed = await run("seal", plain, "-o", `oci:${at("again")}`, "--keys", at("keys"), "--to-sign", at("new"));
  assert.match(signed.err, /--to-sign/);
  assert.equal(signed.exitCode, 2);
  const idle = await run(
    "seal",
    plain,
    "-o",
    `oci:${at("again")}`,
    "--unsigned",
    "--timestamp-url",
    "http://localhost/",
  );
  assert.match(idle.err, /^sealroot: Cannot use --timestamp-url: nothing is signed with --unsigned\n/);
  assert.ok(!existsSync(at("again")) && !existsSync(at("new")));
});

test("an add-on in the last layer is not taken for the UKI", async () => {
  cpSync(at("open"), at("with-addon"), { recursive: true });
  const path = byteStringOfText("boot/EFI/Linux/a.addon.efi");
  const header = { kind: "file", path, mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0n, sizeBytes: 5 } as const;
  await addLayer(at("with-addon"), writeTar([{ header, body: Buffer.from("addon") }]), {
    tag: "latest",
    createdBy: "an add-on",
    compression: { compression: "gzip" },
  });
  const { exitCode, err } = await run("seal", "attach", `oci:${at("with-addon")}`, "--extract", at("no-uki.efi"));
  assert.deepEqual(
    [exitCode, err],
    [
      1,
      "sealroot: Cannot attach a signature: the image's last layer has no UKI\n" +
        "  give the image that `sealroot seal --unsigned` wrote\n",
    ],
  );
  assert.equal(existsSync(at("no-uki.efi")), false);
});
