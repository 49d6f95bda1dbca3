/** Registers, policies and their signatures; systemd's own programs judge the same in test/judges. */
import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import {
  expectedArgumentsPcr,
  expectedProgramsPcr,
  formatPcrSignatures,
  isSignedBy,
  joinPcrSignatures,
  PCR_BANKS,
  type PcrBank,
  PcrRegister,
  type PcrSignatures,
  parsePcrSignatures,
  parsePolicyKey,
  pcrPolicyDigest,
  policyKeyFingerprint,
  policyKeyPem,
  signPolicies,
} from "../../src/tpm/index.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const sha256 = (...parts: readonly Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const signer = { publicKey, sign: async (bytes: Uint8Array, bank: PcrBank) => sign(bank, bytes, privateKey) };

test("a register begins with zeros of its bank's length, and a copy goes its own way", () => {
  assert.deepEqual(
    PCR_BANKS.map((bank) => hex(new PcrRegister(bank).value)),
    [20, 32, 48, 64].map((length) => "00".repeat(length)),
  );
  const register = new PcrRegister("sha256").measure(Buffer.from("a"));
  const before = hex(register.value);
  assert.equal(before, hex(sha256(Buffer.alloc(32), sha256(Buffer.from("a")))));
  assert.notEqual(hex(register.copy().measure(Buffer.from("b")).value), before);
  assert.equal(hex(register.value), before);
});

test("the policy of a register is that of a session with nothing else", () => {
  // TPM2_PolicyPCR: H(zeros ‖ 0000017f ‖ one selection: SHA-256, 3 bytes, bit 11 ‖ H(value)).
  const value = Buffer.alloc(32, 7);
  const words = Buffer.from("0000017f00000001000b03000800", "hex");
  assert.equal(hex(pcrPolicyDigest(11, "sha256", value)), hex(sha256(Buffer.alloc(32), words, sha256(value))));
  assert.notEqual(hex(pcrPolicyDigest(12, "sha256", value)), hex(pcrPolicyDigest(11, "sha256", value)));
});

test("PCR 4 has the boot option, the separator and every program; PCR 12 the lines of add-ons, joined and tidied", () => {
  const [one, two] = [sha256(Buffer.from("loader")), sha256(Buffer.from("UKI"))];
  const extend = (register: Uint8Array, digest: Uint8Array) => sha256(register, digest);
  let register: Uint8Array = Buffer.alloc(32);
  const option = sha256(Buffer.from("Calling EFI Application from Boot Option"));
  for (const digest of [option, sha256(Buffer.alloc(4)), one, two]) register = extend(register, digest);
  assert.equal(hex(expectedProgramsPcr("sha256", [one, two])), hex(register));
  const line = Buffer.from("debug quiet\0", "utf16le");
  assert.equal(
    hex(expectedArgumentsPcr("sha256", [" debug\t", "quiet\n\0x"])),
    hex(sha256(Buffer.alloc(32), sha256(line))),
  );
  for (const lines of [[], [""], [" \n", "\0"]]) {
    assert.equal(hex(expectedArgumentsPcr("sha256", lines)), "00".repeat(32));
  }
});

test("signed policies are read as they are written, joined without doubles", async () => {
  const policies = PCR_BANKS.map((bank) => ({ pcr: 11, bank, digest: sha256(Buffer.from(bank)) }));
  const signatures = await signPolicies(policies, signer);
  assert.deepEqual(parsePcrSignatures(Buffer.from(`${formatPcrSignatures(signatures)}\0\0`), "it"), signatures);
  assert.deepEqual(joinPcrSignatures([signatures, signatures]), signatures);
  const other = await signPolicies([{ pcr: 11, bank: "sha256", digest: Buffer.alloc(32) }], signer);
  assert.equal(joinPcrSignatures([signatures, other]).sha256?.length, 2);
  for (const bank of PCR_BANKS) {
    assert.ok(signatures[bank]?.every((entry) => isSignedBy(entry, bank, publicKey)));
    assert.ok(!signatures[bank]?.some((entry) => isSignedBy({ ...entry, pol: "00".repeat(32) }, bank, publicKey)));
  }
  assert.equal(formatPcrSignatures({}), "{}");
});

test("an answer that is no signature by the key is refused", async () => {
  const policies = [{ pcr: 11, bank: "sha256", digest: Buffer.alloc(32) }] as const;
  const wrong = { publicKey, sign: async () => Buffer.alloc(256) };
  await assert.rejects(signPolicies(policies, wrong), { code: "conflict" });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await assert.rejects(signPolicies(policies, { ...signer, publicKey: ec.publicKey }), { code: "unsupported" });
});

test("a policy key is read from PEM, and named by the digest of its PKCS #1 form", () => {
  const pem = policyKeyPem(publicKey);
  assert.ok(parsePolicyKey(pem, "it").equals(createPublicKey(privateKey)));
  const der = publicKey.export({ type: "pkcs1", format: "der" });
  assert.equal(policyKeyFingerprint(publicKey), hex(sha256(der)));
  assert.throws(() => parsePolicyKey(Buffer.from("no key"), ".pcrpkey"), { code: "corrupt" });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const ecPem = Buffer.from(ec.publicKey.export({ type: "spki", format: "pem" }));
  assert.throws(() => parsePolicyKey(ecPem, ".pcrpkey"), { code: "unsupported" });
});

test("what is no list of signed policies is refused", async () => {
  const good: PcrSignatures = await signPolicies([{ pcr: 11, bank: "sha256", digest: Buffer.alloc(32) }], signer);
  const [entry] = good.sha256 ?? [];
  const changed = (change: Record<string, unknown>) => JSON.stringify({ sha256: [{ ...entry, ...change }] });
  const bad = [
    ...["", "{", "[]", "null", '"sha256"', '{"md5": []}', '{"sha256": {}}', '{"sha256": [1]}', '{"sha256": [null]}'],
    ...[{ pcrs: 11 }, { pcrs: [24] }, { pcrs: [-1] }, { pcrs: ["11"] }].map(changed),
    ...[{ pol: "00" }, { pkfp: undefined }, { sig: "" }, { sig: "***" }].map(changed),
    " ".repeat((1 << 20) + 1),
    // A run of NULs that is no padding took minutes to look through.
    `{${"\0".repeat(1 << 19)}}`,
  ];
  for (const text of bad) {
    assert.throws(() => parsePcrSignatures(Buffer.from(text), "it"), { code: "corrupt" }, text.slice(0, 80));
  }
});
