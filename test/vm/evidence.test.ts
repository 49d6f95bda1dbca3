/** Evidence of a booted, sealed host with a TPM of its own: quoted, taken out of the machine, and judged here. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Evidence, readEvidence } from "../../src/evidence/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { run } from "../cli/run-verb.ts";
import { schemaFaults } from "../evidence/schema.ts";
import { DiskCopy } from "./disk-copy.ts";
import {
  BOOT_TIMEOUT_MS,
  bootSealed,
  guestText,
  type SealedExample,
  sealedExample,
  systemState,
} from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const NONCE = "00112233445566778899aabbccddeeff";
const MAKE = `cd /run && sealroot verify --quiet --booted --evidence os.json --nonce ${NONCE} --attestation-key os.pem`;

describe("evidence of a booted host", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let guest: VirtualMachine;
  let evidence: Evidence;
  const folder = mkdtempSync(join(tmpdir(), "sealroot-evidence-"));
  const at = (name: string) => join(folder, name);
  before(async () => {
    example = await sealedExample();
    guest = await bootSealed(example, example.diskPath, { tpm: true });
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
    await guestText(guest, `${MAKE} >/run/report`, BOOT_TIMEOUT_MS);
    for (const name of ["os.json", "os.pem"]) {
      writeFileSync(at(name), Buffer.from(await guestText(guest, `base64 -w0 /run/${name}`), "base64"));
    }
    evidence = readEvidence(Buffer.from(await guestText(guest, "cat /run/os.json")), "os.json");
  });
  after(async () => {
    await guest?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const check = (...words: string[]) => run("verify", "--check-evidence", at("os.json"), ...words);
  const pinned = () => ["--nonce", NONCE, "--attestation-key", at("os.pem")];

  test("holds by the keys of the disk: what runs, the disk, Secure Boot are what the TPM says", async () => {
    assert.deepEqual(schemaFaults("evidence", evidence), []);
    assert.equal(evidence.source?.manifestDigest, example.manifestDigest);
    assert.equal(evidence.images[0]?.id, example.deploymentId);
    const { exitCode, out } = await check(...pinned());
    assert.equal(exitCode, 0, out);
    assert.match(out, /^verified {3}quote {2}of a TPM for the nonce 0011/m);
    assert.match(out, /by PCR 11 of the quote, /);
    assert.match(out, /^ +Secure Boot was on, with the keys of the evidence$/m);
    assert.match(out, /^verified {3}disk .*\n +by the partition table that was measured into PCR 5$/m);
  });

  test("the key is the same at every call; another nonce, another key and a changed byte are found", async () => {
    const again = `mv /run/os.pem /run/first.pem; ${MAKE} >/dev/null; cmp /run/os.pem /run/first.pem`;
    assert.equal(await guestText(guest, again, BOOT_TIMEOUT_MS), "");
    assert.match(
      (await check("--nonce", "00")).out,
      /^BROKEN at quote .*: it is about another nonce, so it may be old$/m,
    );
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(at("other.pem"), publicKey.export({ type: "spki", format: "pem" }));
    const foreign = await check("--nonce", NONCE, "--attestation-key", at("other.pem"));
    assert.match(foreign.out, /^BROKEN at quote .*: it is of another TPM: another key signed it$/m);
    writeFileSync(at("forged.json"), JSON.stringify({ ...evidence, madeAt: "2020-01-01T00:00:00.000Z" }));
    const forged = await run("verify", "--check-evidence", at("forged.json"), ...pinned());
    assert.match(forged.out, /^BROKEN at quote .*: it is not about this evidence/m);
  });

  test("beside the disk that it runs from", async () => {
    // The machine holds the disk, and writes to an overlay that is thrown away.
    const copy = await DiskCopy.make(example.diskPath);
    try {
      const { exitCode, out, err } = await check(...pinned(), copy.path);
      assert.equal(exitCode, 0, out + err);
    } finally {
      await copy.remove();
    }
  });
});
