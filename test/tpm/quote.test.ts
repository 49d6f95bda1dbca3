/** Quotes of a real software TPM, and what is none. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import {
  attestationKeyPem,
  digestOfValues,
  parseAttestationKey,
  parseQuote,
  readRegisters,
  sendCommand,
  takeQuote,
  verifyQuote,
  withAttestationKey,
} from "../../src/tpm/index.ts";
import { SoftwareTpm } from "./software-tpm.ts";

let tpm: SoftwareTpm;
before(async () => {
  tpm = await SoftwareTpm.start();
});
after(async () => await tpm[Symbol.asyncDispose]());

const REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15];
const QUALIFYING = createHash("sha256").update("nonce").digest();
const quoteNow = () => takeQuote(tpm, REGISTERS, () => QUALIFYING);

test("takeQuote() gives what verifyQuote() accepts: values, qualifying data, the name of the key", async () => {
  const digest = createHash("sha256").update("measured").digest();
  await tpm.extend(11, digest);
  const { key, values, quote } = await quoteNow();
  assert.deepEqual([...values.keys()], REGISTERS);
  const after = createHash("sha256").update(new Uint8Array(32)).update(digest).digest();
  assert.deepEqual(Buffer.from(values.get(11) ?? []), after);
  const claim = verifyQuote(quote, key);
  assert.deepEqual(Buffer.from(claim.qualifyingData), QUALIFYING);
  assert.deepEqual(claim.registers, REGISTERS);
  assert.deepEqual(Buffer.from(claim.pcrDigest), Buffer.from(digestOfValues(values)));
  assert.match(attestationKeyPem(key), /^-----BEGIN PUBLIC KEY-----\n/);
});

test("the attestation key is the same at every call, another TPM has another, and nothing stays loaded", async () => {
  const pem = () => withAttestationKey(tpm, async (_, key) => attestationKeyPem(key));
  const first = await pem();
  // A TPM has three places for transient objects (PTP 1.06, 4.4): the fourth would find none.
  for (let count = 0; count < 5; count++) assert.equal(await pem(), first);
  await using other = await SoftwareTpm.start();
  assert.notEqual(await withAttestationKey(other, async (_, key) => attestationKeyPem(key)), first);
});

test("a register that changes between reading and quoting is read again; one that never stands still is refused", async () => {
  const READ = 0x17e;
  const QUOTE = 0x158;
  let [changes, reads] = [1, 0];
  tpm.beforeCommand = async (command) => {
    const code = Buffer.from(command).readUInt32BE(6);
    if (code === READ) reads++;
    if (code === QUOTE && changes-- > 0) await tpm.extend(15, QUALIFYING);
  };
  const { values, quote } = await quoteNow();
  assert.deepEqual([reads, Buffer.from(parseQuote(quote.attest).pcrDigest)], [4, Buffer.from(digestOfValues(values))]);
  changes = 99;
  await assert.rejects(quoteNow(), {
    code: "conflict",
    message: "Cannot quote the registers: they change all the time",
  });
  tpm.beforeCommand = async () => {};
});

test("verifyQuote() refuses every changed byte of the quote and of its signature, and another TPM's key", async () => {
  const { key, quote } = await quoteNow();
  for (const part of ["attest", "signature"] as const) {
    for (let at = 0; at < quote[part].length; at++) {
      const bytes = Uint8Array.from(quote[part]);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      assert.throws(() => verifyQuote({ ...quote, [part]: bytes }, key), { name: "SealrootError" }, `${part} ${at}`);
    }
    for (const bytes of [new Uint8Array(0), quote[part].subarray(1), Buffer.concat([quote[part], Buffer.of(0)])]) {
      assert.throws(() => verifyQuote({ ...quote, [part]: bytes }, key), { name: "SealrootError" });
    }
  }
  await using other = await SoftwareTpm.start();
  const { key: foreign } = await takeQuote(other, REGISTERS, () => QUALIFYING);
  assert.throws(() => verifyQuote(quote, foreign), {
    code: "untrusted",
    message: "Cannot verify the quote: the attestation key did not sign it",
  });
});

test("parseAttestationKey() takes restricted keys of the endorsement hierarchy's form alone", async () => {
  const { key } = await quoteNow();
  assert.deepEqual(parseAttestationKey(key.publicArea).qualifiedName, key.qualifiedName);
  const unrestricted = Uint8Array.from(key.publicArea);
  unrestricted[5] = (unrestricted[5] ?? 0) ^ 1;
  assert.throws(() => parseAttestationKey(unrestricted), {
    code: "unsupported",
    message: "Cannot use the attestation key: it is not a restricted ECDSA key on P-256",
  });
  const elsewhere = Uint8Array.from(key.publicArea);
  elsewhere[elsewhere.length - 1] = (elsewhere.at(-1) ?? 0) ^ 1;
  assert.throws(() => parseAttestationKey(elsewhere), {
    message: "Cannot read attestation key: it is no point of P-256",
  });
  for (const bytes of [
    new Uint8Array(0),
    key.publicArea.subarray(0, 60),
    Buffer.concat([key.publicArea, Buffer.of(0)]),
  ]) {
    assert.throws(() => parseAttestationKey(bytes), { code: "corrupt" });
  }
});

test("a TPM that refuses, or answers nonsense, is one error", async () => {
  await assert.rejects(readRegisters({ transmit: async () => new Uint8Array(0) }, [0]), { code: "corrupt" });
  await assert.rejects(readRegisters({ transmit: async () => Buffer.alloc(4096, 0xff) }, [0]), {
    code: "corrupt",
    message: "Cannot read answer of the TPM: it has 4096 bytes and says 4294967295",
  });
  const nonsense = { code: 0x1ff, purpose: "do nothing", isAuthorized: false, parameters: new Uint8Array(0) };
  await assert.rejects(sendCommand(tpm, nonsense), {
    code: "failed",
    message: "Cannot do nothing: the TPM refuses with code 0x143",
  });
  await assert.rejects(
    takeQuote(tpm, REGISTERS, () => new Uint8Array(200)),
    /the TPM refuses with code 0x1d5/,
  );
});
