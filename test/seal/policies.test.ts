/** Policies for PCR 11: signed while sealing, or elsewhere, and what is refused. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { toHex } from "../../src/bytes/index.ts";
import { findSection, parsePe, sectionContent, ukiPolicies } from "../../src/pe/index.ts";
import { isPolicyList, type ToSign } from "../../src/seal/index.ts";
import {
  BOOT_PHASE_PATHS,
  formatPcrSignatures,
  isSignedBy,
  type PcrSignature,
  parsePcrSignatures,
  policyKeyFingerprint,
} from "../../src/tpm/index.ts";
import { run } from "../cli/run-verb.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { SOFT_HSM_MODULE, softHsm } from "../keys/soft-hsm.ts";
import { sealableImage } from "./sealable-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-policies-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const PIN = "10203040";
let plain: string;

async function succeed(...words: string[]): Promise<string> {
  const { exitCode, out, err } = await run(...words);
  assert.equal(exitCode, 0, err);
  return out;
}

async function refused(...words: string[]): Promise<string> {
  const { exitCode, err } = await run(...words);
  assert.ok(exitCode === 1 || exitCode === 2, err);
  return err;
}

before(async () => {
  plain = await sealableImage(scratch);
  await succeed("keys", "generate", at("keys"), "--pcr");
  // The build machine has what is public.
  cpSync(at("keys"), at("public"), { recursive: true });
  for (const name of readdirSync(at("public"))) if (name.endsWith(".key")) rmSync(join(at("public"), name));
});

/** The UKI of an image, and what it says of policies. */
async function ukiOf(layout: string) {
  rmSync(at("uki.efi"), { force: true });
  await succeed("seal", "attach", `oci:${at(layout)}`, "--extract", at("uki.efi"));
  const bytes = readFileSync(at("uki.efi"));
  const image = parsePe(bytes);
  const content = (name: string) => {
    const section = findSection(image, name);
    return section && sectionContent(image, section);
  };
  const pcrsig = content(".pcrsig");
  return {
    image,
    key: Buffer.from(content(".pcrpkey") ?? []).toString(),
    signatures: pcrsig && parsePcrSignatures(pcrsig, ".pcrsig"),
  };
}

/** Signed by the key of the directory, for these phases of this very UKI. */
async function assertSigned(layout: string, phases: readonly string[]): Promise<void> {
  const { image, key, signatures } = await ukiOf(layout);
  assert.equal(key, readFileSync(at("keys/pcr.pub"), "utf8"));
  const publicKey = createPublicKey(key);
  assert.deepEqual(Object.keys(signatures ?? {}), ["sha256"]);
  const entries: readonly PcrSignature[] = signatures?.sha256 ?? [];
  assert.deepEqual(
    entries.map(({ pol }) => pol),
    ukiPolicies(image, ["sha256"], phases).map(({ digest }) => toHex(digest)),
  );
  for (const entry of entries) {
    assert.ok(isSignedBy(entry, "sha256", publicKey));
    assert.deepEqual([entry.pcrs, entry.pkfp], [[11], policyKeyFingerprint(publicKey)]);
  }
}

const UNTIL_MOUNTED = ["enter-initrd", "enter-initrd:leave-initrd"];

test("keys generate --pcr makes the key beside the others, its private part for the owner alone", () => {
  assert.equal(statSync(at("keys/pcr.key")).mode & 0o777, 0o600);
  const publicKey = createPublicKey(readFileSync(at("keys/pcr.pub"), "utf8"));
  assert.ok(createPublicKey(readFileSync(at("keys/pcr.key"), "utf8")).equals(publicKey));
  assert.equal(publicKey.asymmetricKeyDetails?.modulusLength, 2048);
});

test("a directory with a policy key: the UKI carries it and policies that hold until file systems are mounted", async () => {
  const out = await succeed("seal", plain, "-o", `oci:${at("sealed")}`, "--keys", at("keys"), "--json");
  const report = JSON.parse(out);
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/seal.json"), "utf8"));
  assert.deepEqual(faultsOf(schema, report), []);
  await assertSigned("sealed", UNTIL_MOUNTED);
  const key = policyKeyFingerprint(createPublicKey(readFileSync(at("keys/pcr.pub"), "utf8")));
  assert.deepEqual(report.policies, { key, signedPhases: UNTIL_MOUNTED });
  const inspected = JSON.parse(await succeed("inspect", at("uki.efi"), "--json"));
  const part = inspected.parts.find(({ kind }: { kind: string }) => kind === "signed policies");
  assert.deepEqual(part.facts, { key, sha256: UNTIL_MOUNTED });
});

test("--pcr-phase chooses the phases; what is none is refused, as is a phase without a key", async () => {
  const words = ["seal", plain, "-o", `oci:${at("phases")}`, "--keys", at("keys")];
  await succeed(...words, "--pcr-phase", "enter-initrd");
  await assertSigned("phases", ["enter-initrd"]);
  assert.match(await refused(...words, "--pcr-phase", "leave-initrd"), /a boot has no such phase/);
  rmSync(at("keys-only"), { recursive: true, force: true });
  await succeed("keys", "generate", at("keys-only"));
  const without = ["seal", plain, "-o", `oci:${at("none")}`, "--keys", at("keys-only")];
  assert.match(await refused(...without, "--pcr-phase", "enter-initrd"), /there is no key for policies/);
  await succeed(...without);
  const { key, signatures } = await ukiOf("none");
  assert.deepEqual([key, signatures], ["", undefined]);
});

test("a key in a token signs the same", async () => {
  const hsm = softHsm(at("hsm"));
  hsm.addToken("sealing", PIN);
  hsm.importKey("sealing", PIN, { path: at("keys/pcr.key"), label: "pcr", id: "02" });
  writeFileSync(at("pin"), PIN);
  const uri = `pkcs11:token=sealing;object=pcr?module-path=${SOFT_HSM_MODULE}&pin-source=file:${at("pin")}`;
  cpSync(at("keys"), at("no-pcr"), { recursive: true });
  rmSync(at("no-pcr/pcr.key"));
  const words = ["seal", plain, "-o", `oci:${at("token")}`, "--keys", at("no-pcr"), "--pcr-key", uri];
  await succeed(...words);
  await assertSigned("token", UNTIL_MOUNTED);
  rmSync(at("no-pcr/pcr.pub"));
  assert.match(await refused(...words), /its public key is not named/);
  await succeed(...words, "--pcr-public-key", at("keys/pcr.pub"));
});

test("a key that does not fit is refused before any work", async () => {
  const words = ["seal", plain, "-o", `oci:${at("bad")}`];
  assert.match(await refused(...words, "--keys", at("keys"), "--pcr-key", at("keys/db.key")), /has another public key/);
  cpSync(at("keys"), at("without"), { recursive: true });
  rmSync(at("without/pcr.key"));
  const elsewhere = await refused(...words, "--keys", at("without"));
  assert.match(elsewhere, /pcr\.key is missing\n.*--unsigned --to-sign DIR/s);
  execFileSync("openssl", ["genrsa", "-out", at("large.key"), "3072"], { stdio: "ignore" });
  const large = await refused(...words, "--keys", at("keys-only"), "--pcr-key", at("large.key"));
  assert.match(large, /not every TPM can load it[\s\S]*RSA with 2048 bits[\s\S]*RSA with 3072 bits/);
  assert.match(await refused(...words, "--keys", at("keys"), "--pcr-key", at("nowhere")), /nowhere is missing/);
});

test("signed elsewhere: policies first, then the UKI that has them", async () => {
  const unsigned = ["--unsigned", "--keys", at("public"), "--to-sign", at("first")];
  const sealed = JSON.parse(await succeed("seal", plain, "-o", `oci:${at("open")}`, ...unsigned, "--json"));
  assert.deepEqual(sealed.policies.signedPhases, []);
  const list: ToSign = JSON.parse(readFileSync(at("first/to-sign.json"), "utf8"));
  assert.deepEqual(
    list.files.map(({ kind }) => kind),
    ["loader"],
  );
  const { image } = await ukiOf("open");
  const digests = ukiPolicies(image, ["sha256"], UNTIL_MOUNTED).map(({ digest }) => digest);
  assert.deepEqual(
    list.policies,
    UNTIL_MOUNTED.map((phase, index) => ({
      ...{ phase, pcr: 11, bank: "sha256", policyDigest: toHex(digests[index] ?? new Uint8Array()) },
      name: `pcr11-sha256-${phase.replaceAll(":", "-")}.policy`,
    })),
  );
  for (const { name, policyDigest } of list.policies ?? []) {
    assert.equal(toHex(readFileSync(at(`first/${name}`))), policyDigest);
    const openssl = [
      "dgst",
      "-sha256",
      "-sign",
      at("keys/pcr.key"),
      "-out",
      at(`first/${name}.sig`),
      at(`first/${name}`),
    ];
    execFileSync("openssl", openssl);
  }
  const loader = list.files[0]?.name ?? "";
  const sbsign = (name: string, from: string) =>
    execFileSync("sbsign", ["--key", at("keys/db.key"), "--cert", at("keys/db.pem"), "--output", name, from], {
      stdio: "ignore",
    });
  sbsign(at(`first/${loader}.signed`), at(`first/${loader}`));
  const attach = ["seal", "attach", `oci:${at("open")}`, at("first"), "-o", `oci:${at("half")}`];
  const attached = JSON.parse(await succeed(...attach, "--to-sign", at("second"), "--json"));
  assert.equal(attached.attached.length, 2);
  await assertSigned("half", UNTIL_MOUNTED);
  const rest: ToSign = JSON.parse(readFileSync(at("second/to-sign.json"), "utf8"));
  assert.deepEqual([rest.files.map(({ kind }) => kind), rest.policies], [["uki"], undefined]);
  const uki = rest.files[0]?.name ?? "";
  sbsign(at("uki-signed.efi"), at(`second/${uki}`));
  await succeed("seal", "attach", `oci:${at("half")}`, at("uki-signed.efi"), "-o", `oci:${at("whole")}`);
  await assertSigned("whole", UNTIL_MOUNTED);
  execFileSync("sbverify", ["--cert", at("keys/db.pem"), at("uki.efi")], { stdio: "ignore" });
  const [name = ""] = (list.policies ?? []).map((policy) => at(`first/${policy.name}.sig`));
  const again = await refused("seal", "attach", `oci:${at("half")}`, name, "-o", `oci:${at("again")}`);
  assert.match(again, /Cannot attach signed policies to the UKI: it has some/);
});

test("signed elsewhere by systemd-measure: its list is taken, one of another UKI or key is not", async () => {
  await succeed("seal", plain, "-o", `oci:${at("list")}`, "--unsigned", "--keys", at("public"));
  const { image } = await ukiOf("list");
  const list = async (keyFile: string, change = (entry: PcrSignature) => entry) => {
    const { openPolicyKey } = await import("../../src/keys/index.ts");
    const { signPolicies } = await import("../../src/tpm/index.ts");
    const opened = await openPolicyKey({ key: at(keyFile), secret: { mayAsk: false } }, false);
    assert.ok(opened?.signer !== undefined);
    const { sha256 = [] } = await signPolicies(ukiPolicies(image, ["sha256"], BOOT_PHASE_PATHS), opened.signer);
    writeFileSync(at("pcrsig.json"), formatPcrSignatures({ sha256: sha256.map(change) }));
  };
  const attach = (layout: string) => [
    "seal",
    "attach",
    `oci:${at(layout)}`,
    at("pcrsig.json"),
    "-o",
    `oci:${at("taken")}`,
  ];
  await list("keys/pcr.key");
  await succeed(...attach("list"));
  await assertSigned("taken", BOOT_PHASE_PATHS);
  assert.match(await refused(...attach("none")), /the UKI has no policy key/);
  await list("keys/db.key");
  assert.match(await refused(...attach("list")), /it is not signed by the UKI's policy key/);
  await list("keys/pcr.key", (entry) => ({ ...entry, pol: "00".repeat(32) }));
  assert.match(await refused(...attach("list")), /a policy in it is not of this UKI/);
  await list("keys/pcr.key", (entry) => ({ ...entry, sig: Buffer.alloc(256).toString("base64") }));
  assert.match(await refused(...attach("list")), /it is not signed by the UKI's policy key/);
  writeFileSync(at("pcrsig.json"), '{"sha256": [}');
  assert.match(await refused(...attach("list")), /it is no JSON/);
});

test("a bare signature that begins with a brace is no list", () => {
  assert.equal(isPolicyList(Buffer.from('\n {"sha256": []}')), true);
  const signature = Buffer.concat([Buffer.from(" {"), Buffer.alloc(254, 0xa5)]);
  assert.equal(isPolicyList(signature), false);
});
