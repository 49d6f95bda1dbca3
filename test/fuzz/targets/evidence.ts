/** Evidence, and the event log of a firmware in it. */
import { checkEvidence, evidenceText, readEvidence } from "../../../src/evidence/index.ts";
import {
  measuredTables,
  measuredVariables,
  parseEventLog,
  replayEventLog,
  startedPrograms,
} from "../../../src/tpm/index.ts";
import { NO_POLICY } from "../../../src/verify/index.ts";
import {
  eventLogBytes,
  measuredTable,
  measuredVariable,
  separator,
  startedProgram,
  startupLocality,
} from "../../tpm/event-log-writer.ts";
import { type FuzzTarget, refusalOf, refusalOfSync } from "../target.ts";

const GUID = "11111111-2222-3333-4444-555555555555";
const EVENTS = [
  startupLocality(3),
  measuredVariable("SecureBoot", Buffer.of(1)),
  separator(4),
  startedProgram(Buffer.alloc(32, 1)),
  measuredTable(GUID, [GUID]),
];

const eventLogTarget: FuzzTarget = {
  name: "event-log",
  corpus: () => [eventLogBytes(EVENTS), eventLogBytes(EVENTS, [0x000b]), eventLogBytes([])],
  run(input) {
    const read = refusalOfSync(() => parseEventLog(input));
    if ("refusal" in read) return false;
    replayEventLog(read.value);
    startedPrograms(read.value);
    refusalOfSync(() => measuredVariables(read.value));
    refusalOfSync(() => measuredTables(read.value));
    return true;
  },
};

const SHA256 = "0".repeat(64);
const QUOTE = {
  ...{ nonce: "00", attestationKey: "ACMACwAFBHIAAAAQABgACwADABAAAAAA", registers: [{ number: 11, value: SHA256 }] },
  ...{ eventLog: Buffer.from(eventLogBytes(EVENTS)).toString("base64"), attest: "/1RDR4AY", signature: "ABgACw==" },
};
const EVIDENCE = {
  ...{ format: "sealroot-evidence/1", madeBy: "a", madeAt: "2026-01-02T03:04:05.000Z", verdict: "verified" },
  target: { kind: "UKI", name: "os.efi" },
  links: [{ name: "uki", subject: "os.efi", state: "verified", by: null }],
  source: { reference: "a", manifestDigest: `sha256:${SHA256}`, manifest: "e30=", config: "e30=", layers: [] },
  softwareLists: [{ path: "/a", sizeBytes: 1, sha256: SHA256 }],
  images: [{ id: "0".repeat(128), algorithm: "sha512", rule: null }],
  programs: [
    {
      ...{ role: "uki", path: "os.efi", sizeBytes: 1, sha256: SHA256, authenticode: { sha256: SHA256 } },
      ...{ signatures: ["MAA="], sections: [{ name: ".cmdline", sizeBytes: 1, sha256: SHA256 }] },
      ...{ commandLine: `composefs=${"0".repeat(128)} rw`, kernelAuthenticode: null },
    },
  ],
  keys: [{ name: "a", PK: "", KEK: "", db: "", dbx: "" }],
  disk: { guid: GUID, partitions: [{ number: 1, name: "a", typeGuid: GUID, guid: GUID, sizeBytes: 1 }] },
  quote: null,
};

const evidenceTarget: FuzzTarget = {
  name: "evidence",
  corpus: () => [EVIDENCE, { ...EVIDENCE, quote: QUOTE }].map((value) => Buffer.from(JSON.stringify(value))),
  async run(input) {
    const read = refusalOfSync(() => readEvidence(input, "os.json"));
    if ("refusal" in read) return false;
    readEvidence(Buffer.from(evidenceText(read.value)), "os.json");
    const nothing = { keys: undefined, nonce: undefined, attestationKey: undefined };
    const options = { ...nothing, policy: NO_POLICY, atHand: read.value };
    const judged = await refusalOf(() => checkEvidence("os.json", read.value, options));
    // What is wrong with it is said at a link.
    if ("refusal" in judged) throw judged.refusal;
    return true;
  },
};

export const evidenceTargets: readonly FuzzTarget[] = [eventLogTarget, evidenceTarget];
