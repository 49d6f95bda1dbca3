/** Signers of every kind: encrypted files, tokens, commands, time stamps; judged by sbverify, osslsigncode and openssl. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Signer } from "../../src/cms/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import {
  commandProgramSigner,
  generateKeys,
  loadCertificate,
  openSigner,
  type SignerChoice,
  signProgram,
} from "../../src/keys/index.ts";
import { detachSignatures, requireOnlySigned, signPe, verifyPe } from "../../src/pe/index.ts";
import { sbverifyAccepts, systemdFile } from "../pe/boot-files.ts";
import { SOFT_HSM_MODULE, type SoftHsm, softHsm } from "./soft-hsm.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-signers-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
const at = (name: string) => join(scratch, name);
const PIN = "471100";
const NOBODY_TO_ASK = { mayAsk: false };
const program = () => systemdFile("systemd-bootx64.efi");
let hsm: SoftHsm;

before(async () => {
  await generateKeys(at("keys"), { now: new Date("2026-01-02T03:04:05Z"), commonName: "signers" });
  await generateKeys(at("other"), { now: new Date("2026-01-02T03:04:05Z"), commonName: "other" });
  hsm = softHsm(at("hsm"));
  hsm.addToken("sealing", PIN);
  hsm.importKey("sealing", PIN, { path: at("keys/db.key"), label: "db key", id: "0a25" });
  hsm.importKey("sealing", PIN, { path: at("other/db.key"), label: "other key", id: "0b" });
  writeFileSync(at("pin"), `${PIN}\n`, { mode: 0o600 });
  writeFileSync(at("wrong-pin"), "000000", { mode: 0o600 });
});

function write(name: string, bytes: Uint8Array): string {
  writeFileSync(at(name), bytes);
  return at(name);
}

async function refusal(work: () => Promise<unknown>): Promise<SealrootError> {
  const error = await work().then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SealrootError, String(error));
  return error;
}

const uri = (path: string, ...query: string[]) =>
  `pkcs11:${path}?${[`module-path=${SOFT_HSM_MODULE}`, ...query].join("&")}`;
const open = (choice: Omit<SignerChoice, "secret"> & Partial<SignerChoice>): Promise<Signer> =>
  openSigner({ secret: NOBODY_TO_ASK, ...choice });

/** RSA PKCS #1 v1.5 has one signature of anything: whoever signs, the bytes are those of the key as a file. */
async function assertSameAsFile(signer: Signer): Promise<void> {
  const expected = await signPe(program(), await open({ directory: at("keys") }));
  const actual = await signPe(program(), signer);
  assert.deepEqual(Buffer.from(actual), Buffer.from(expected));
}

// First: a token that somebody has logged into asks no more.
test("what is wrong with a token's key is said, and the PIN never", async () => {
  const db = "token=sealing;object=db%20key";
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [uri(db, `pin-source=${at("wrong-pin")}`), "no-access", /: C_Login: CKR_PIN_INCORRECT$/],
    [uri(db, "pin-value=secret9"), "no-access", /pin-value=…: C_Login: CKR_PIN_INCORRECT$/],
    [uri(db), "no-access", /: its PIN is not known$/],
    [uri("token=none;object=db"), "not-found", /: no such token is there$/],
    [uri("token=sealing;object=none", `pin-value=${PIN}`), "not-found", /: the token has no such private key$/],
    [uri("token=sealing", `pin-value=${PIN}`), "conflict", /: 2 private keys match$/],
    [uri("token=sealing;object=other%20key", `pin-value=${PIN}`), "conflict", /is not a signature by the certificate/],
    [
      "pkcs11:token=sealing?module-path=/nowhere/module.so",
      "failed",
      /^Cannot use the PKCS #11 module \/nowhere\/module\.so/,
    ],
    ["pkcs11:token=a;token=b", "usage", /: it has token twice$/],
    ["pkcs11:tokn=a", "usage", /: "tokn" is not an attribute that is known$/],
    ["pkcs11:type=public", "usage", /: type=public is not a private key$/],
    ["pkcs11:object=%ff", "usage", /: object is not percent-encoded UTF-8$/],
    ["pkcs11:id=%4", "usage", /: id is not percent-encoded$/],
    ["pkcs11:slot-id=x", "usage", /: slot-id is not a number$/],
    ["pkcs11:?pin-source=|program", "usage", /: a PIN from a program is not supported$/],
    ["pkcs11:?module-path=module.so", "usage", /: module-path is not an absolute path$/],
  ];
  for (const [key, code, message] of cases) {
    const error = await refusal(() => open({ directory: at("keys"), key }));
    assert.match(error.message, message);
    assert.equal(error.code, code, error.message);
    assert.doesNotMatch(JSON.stringify([error.message, error.data]), /secret9|471100/);
  }
  const noCertificate = await refusal(() => open({ key: uri(db, `pin-value=${PIN}`) }));
  assert.match(noCertificate.message, /: its certificate is not named$/);
});

test("a key of a token signs as the key in a file does, by whatever it is named", async () => {
  for (const path of [
    "token=sealing;object=db%20key",
    "token=sealing;object=db%20key;type=private",
    "object=db%20key;model=SoftHSM%20v2;manufacturer=SoftHSM%20project",
    "token=sealing;id=%0a%25",
  ]) {
    await assertSameAsFile(await open({ directory: at("keys"), key: uri(path, `pin-source=file:${at("pin")}`) }));
  }
  const certificate = at("keys/db.pem");
  await assertSameAsFile(await open({ certificate, key: uri("object=db%20key", `pin-value=${PIN}`) }));
  await assertSameAsFile(
    await open({ certificate, key: uri("object=db%20key"), secret: { file: at("pin"), mayAsk: false } }),
  );
  assert.ok(
    sbverifyAccepts(
      write(
        "by-token.efi",
        await signPe(
          program(),
          await open({ directory: at("keys"), key: uri("id=%0a%25", `pin-source=${at("pin")}`) }),
        ),
      ),
      at("keys/db.pem"),
    ),
  );
});

test("a certificate that the token keeps beside the key is taken from there", async () => {
  const object = ["--write-object", at("keys/db.der"), "--type", "cert", "--id", "0a25", "--label", "db"];
  const login = ["--module", SOFT_HSM_MODULE, "--token-label", "sealing", "--login", "--pin", PIN];
  execFileSync("pkcs11-tool", [...login, ...object], { env: hsm.environment, stdio: "ignore" });
  await assertSameAsFile(await open({ key: uri("object=db%20key", `pin-value=${PIN}`) }));
});

test("an encrypted key is opened by its passphrase, PKCS #8 and OpenSSL's older form", async () => {
  writeFileSync(at("passphrase"), "long words\n");
  writeFileSync(at("wrong"), "other words\n");
  writeFileSync(at("two-lines"), "one\ntwo\n");
  mkdirSync(at("encrypted"));
  for (const name of ["db.pem", "KEK.pem", "PK.pem", "GUID.txt"]) {
    writeFileSync(at(`encrypted/${name}`), readFileSync(at(`keys/${name}`)));
  }
  for (const words of [
    ["pkcs8", "-topk8"],
    ["rsa", "-aes128", "-traditional"],
  ]) {
    execFileSync(
      "openssl",
      [...words, "-in", at("keys/db.key"), "-out", at("encrypted/db.key"), "-passout", `file:${at("passphrase")}`],
      {
        stdio: "ignore",
      },
    );
    const secret = { file: at("passphrase"), mayAsk: false };
    await assertSameAsFile(await open({ directory: at("encrypted"), secret }));
    await assertSameAsFile(await open({ key: at("encrypted/db.key"), certificate: at("keys/db.pem"), secret }));
    const cases: readonly (readonly [SignerChoice["secret"], string, RegExp])[] = [
      [{ file: at("wrong"), mayAsk: false }, "no-access", /: the passphrase does not fit$/],
      [{ file: at("two-lines"), mayAsk: false }, "corrupt", /two-lines does not hold one line of text$/],
      [{ file: at("none"), mayAsk: false }, "not-found", /^Cannot read the passphrase/],
      [NOBODY_TO_ASK, "unsupported", /db\.key: it is encrypted$/],
    ];
    for (const [given, code, message] of cases) {
      const error = await refusal(() => open({ directory: at("encrypted"), secret: given }));
      assert.match(error.message, message);
      assert.equal(error.code, code);
      assert.doesNotMatch(JSON.stringify([error.message, error.data]), /words/);
    }
  }
});

test("a key that does not belong to its certificate, and none, are refused", async () => {
  const error = await refusal(() => open({ key: at("other/db.key"), certificate: at("keys/db.pem") }));
  assert.match(error.message, /other\/db\.key: it does not belong to the certificate "CN=signers db"$/);
  assert.equal(error.code, "conflict");
  assert.match((await refusal(() => open({}))).message, /^Cannot sign: no key is named$/);
  assert.match((await refusal(() => open({ key: at("keys/db.key") }))).message, /: its certificate is not named$/);
  assert.match(
    (await refusal(() => open({ key: at("none"), certificate: at("keys/db.pem") }))).message,
    /none: no such file$/,
  );
});

const SBSIGN = (keys: string) => `sbsign --key ${at(keys)}/db.key --cert ${at(keys)}/db.pem --output {output} {input}`;
const OSSLSIGNCODE = (keys: string) =>
  `osslsigncode sign -h sha256 -certs ${at(keys)}/db.pem -key ${at(keys)}/db.key -in {input} -out {output}`;

test("a command signs whole files, and nothing but the signature may differ", async () => {
  const certificate = loadCertificate(at("keys/db.pem"));
  for (const command of [SBSIGN("keys"), OSSLSIGNCODE("keys")]) {
    const signed = await signProgram(program(), "the boot loader", commandProgramSigner(command, certificate));
    assert.ok(sbverifyAccepts(write("by-command.efi", signed), at("keys/db.pem")));
    assert.equal((await verifyPe(signed, [certificate])).signer.subject, "CN=signers db");
    requireOnlySigned(program(), signed, "the boot loader");
  }
  writeFileSync(at("changed.efi"), Buffer.from(program()).fill(0x41, 0x2000, 0x2001));
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [SBSIGN("other"), "untrusted", /its certificate "CN=other db" is neither trusted nor issued/],
    ["cp {input} {output}", "untrusted", /^Cannot verify the boot loader as the command signed it: it is not signed$/],
    [`cp ${at("changed.efi")} {output} # {input}`, "conflict", /more than its signature differs$/],
    ["head -c 100 {input} > {output}", "corrupt", /^Cannot parse the signed file of the boot loader/],
    ["true {input} {output}", "failed", /: it left no file \{output\}$/],
    ["echo no card >&2; exit 3 # {input} {output}", "failed", /exit code 3: no card$/],
  ];
  for (const [command, code, message] of cases) {
    const error = await refusal(() =>
      signProgram(program(), "the boot loader", commandProgramSigner(command, certificate)),
    );
    assert.match(error.message, message);
    assert.equal(error.code, code, error.message);
  }
  assert.throws(() => commandProgramSigner("sbsign {input}", certificate), /it has no \{output\}$/);
});

test("signatures that others made are taken off and put on without a trace", async () => {
  const signed = await signPe(program(), await open({ directory: at("keys") }));
  const detached = detachSignatures(signed);
  requireOnlySigned(program(), detached, "the boot loader");
  const checked = spawnSync("osslsigncode", ["verify", "-CAfile", at("keys/db.pem"), "-in", write("ours.efi", signed)]);
  assert.equal(checked.status, 0, String(checked.stdout) + checked.stderr);
});

chmodSync(scratch, 0o700);
