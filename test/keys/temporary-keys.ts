/** Secure Boot keys made for one test run, as signer, certificate and enrolment files. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Signer } from "../../src/cms/index.ts";
import { type EnrolmentFiles, generateKeys, loadEnrolment, loadSigner } from "../../src/keys/index.ts";

export interface TemporaryKeys {
  readonly signer: Signer;
  readonly enrolment: EnrolmentFiles;
}

/** New keys; nothing of them stays on the disk. */
export async function temporaryKeys(commonName = "test"): Promise<TemporaryKeys> {
  const parent = mkdtempSync(join(tmpdir(), "sealroot-test-keys-"));
  const directory = join(parent, "keys");
  const now = new Date("2026-01-02T03:04:05Z");
  try {
    await generateKeys(directory, { now, commonName });
    return { signer: loadSigner(directory), enrolment: await loadEnrolment(directory, now) };
  } finally {
    rmSync(parent, { recursive: true });
  }
}
