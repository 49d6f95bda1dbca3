/** A measured boot: what the TPM holds in the running system is what `sealroot inspect` says before of the disk. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Part } from "../../src/inspect/index.ts";
import { generateKeys, loadCertificates, type OwnedCertificates } from "../../src/keys/index.ts";
import { temporaryDirectory } from "../../src/platform/index.ts";
import { run } from "../cli/run-verb.ts";
import {
  BOOT_TIMEOUT_MS,
  bootSealed,
  guestText,
  type SealedExample,
  sealedExample,
  systemState,
} from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

/** Shell text that prints registers of the bank of SHA-256, a line each. */
const READ = "for pcr in 4 7 11 12; do cat /sys/class/tpm/tpm0/pcr-sha256/$pcr; done | tr A-F a-f";

function measurement(part: Part, name: string): string {
  const found = part.parts.find(({ kind, name: own }) => kind === "measurement" && own === name);
  assert.ok(found !== undefined, `${name} of ${part.name}`);
  return String(found.facts.sha256);
}

describe("a measured boot", ONLY_IN_WHOLE_SUITE, () => {
  const scratch = temporaryDirectory();
  let example: SealedExample;
  let expected: { readonly programs: string; readonly uki: string; readonly line: string };
  const secureBootPcrs: string[] = [];
  before(async () => {
    example = await sealedExample();
    const { exitCode, out, err } = await run("inspect", "--json", example.diskPath);
    assert.equal(exitCode, 0, err);
    const disk: Part = JSON.parse(out);
    const parts = disk.parts.flatMap((partition) => partition.parts);
    const entry = parts.find(({ kind }) => kind === "boot entry");
    const uki = parts.find(({ kind }) => kind === "UKI");
    assert.ok(entry !== undefined && uki !== undefined);
    expected = {
      programs: measurement(entry, "PCR 4"),
      line: measurement(entry, "PCR 12"),
      // Without the libraries of a TPM in the image, systemd measures no phase after the boot program's.
      uki: measurement(uki, "PCR 11 at enter-initrd:leave-initrd"),
    };
  });
  after(() => scratch[Symbol.dispose]());

  async function registers(secureBoot: OwnedCertificates): Promise<string[]> {
    const guest = await bootSealed(example, example.diskPath, { secureBoot, tpm: true });
    try {
      await guest.waitForReady(BOOT_TIMEOUT_MS);
      assert.equal(await systemState(guest), "running");
      return (await guestText(guest, READ)).split("\n");
    } finally {
      await guest.stop();
    }
  }

  test("PCR 4, 11 and 12 are as predicted", async () => {
    const [programs, secureBoot = "", uki, line] = await registers(example.secureBoot);
    assert.deepEqual({ programs, uki, line }, expected);
    secureBootPcrs.push(secureBoot);
  });

  test("a certificate more in db changes PCR 7, and nothing else", async () => {
    await generateKeys(`${scratch.path}/other`, { now: new Date() });
    const { certificates, ownerGuid } = example.secureBoot;
    const db = [...certificates.db, ...loadCertificates(`${scratch.path}/other`).certificates.db];
    const [programs, secureBoot = "", uki, line] = await registers({
      ownerGuid,
      certificates: { ...certificates, db },
    });
    assert.deepEqual({ programs, uki, line }, expected);
    assert.equal(secureBootPcrs.length, 1);
    assert.notEqual(secureBoot, secureBootPcrs[0]);
  });
});
