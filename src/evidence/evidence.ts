/** Evidence: one document that says what a system is made of (docs/trust.md, docs/schema/evidence.json); read strictly. */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { fromHex } from "../bytes/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { parseStrictJson } from "../policy/index.ts";
import { LINK_NAMES, TARGET_KINDS } from "../verify/index.ts";

export const FORMAT = "sealroot-evidence/1";
/** Manifest and configuration have at most 8 MiB each, everything else together less than one. */
export const EVIDENCE_MAX_BYTES = 32 << 20;
/** Lists that a hostile document could make long. */
const ITEMS_MAX = 4096;
const TEXT_MAX_CHARACTERS = 64 << 10;

const text = v.pipe(v.string(), v.maxLength(TEXT_MAX_CHARACTERS, "is too long"));
const hex = (digits: number) =>
  v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${digits}}$`), `is not ${digits} lower-case hex digits`));
const sha256 = hex(64);
const uuid = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "is not a GUID"));
const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** One spelling for the same bytes, so that no change of the text goes unseen. */
const base64 = v.pipe(
  v.string(),
  v.check((value) => Buffer.from(value, "base64").toString("base64") === value, "is not base64"),
);
const list = <const S extends v.GenericSchema>(item: S) =>
  v.pipe(v.array(item), v.maxLength(ITEMS_MAX, `has more than ${ITEMS_MAX} items`));
const state = v.picklist(["verified", "unchecked", "weaker", "broken"]);
const linkName = v.picklist(LINK_NAMES);

const programSchema = v.strictObject({
  role: v.picklist(["loader", "uki", "add-on", "program"]),
  path: text,
  sizeBytes: size,
  sha256,
  /** By algorithm; SHA-256 always, unless it is no PE image. */
  authenticode: v.strictObject({
    sha256: v.optional(sha256),
    sha384: v.optional(hex(96)),
    sha512: v.optional(hex(128)),
  }),
  signatures: list(base64),
  /** What systemd-stub measures of it, in that order; null for other programs. */
  sections: v.nullable(list(v.strictObject({ name: text, sizeBytes: size, sha256 }))),
  /** The content of its section, to the last character. */
  commandLine: v.nullable(text),
  /** Of the kernel inside, which firmware may measure as a program of its own. */
  kernelAuthenticode: v.nullable(sha256),
});

const keysSchema = v.strictObject({
  name: text,
  /** Signature lists as the firmware has them; null for keys that are not those of a firmware. */
  PK: v.nullable(base64),
  KEK: v.nullable(base64),
  db: base64,
  dbx: base64,
});

const quoteSchema = v.strictObject({
  nonce: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2}){1,64}$/, "is not 1 to 64 bytes in lower-case hex digits")),
  /** TPMT_PUBLIC. */
  attestationKey: base64,
  /** Of the SHA-256 bank. */
  registers: list(v.strictObject({ number: v.pipe(size, v.maxValue(23)), value: sha256 })),
  /** As the kernel gives it; null when it could not be read. */
  eventLog: v.nullable(base64),
  /** TPMS_ATTEST and TPMT_SIGNATURE. */
  attest: base64,
  signature: base64,
});

const evidenceSchema = v.strictObject({
  format: v.literal(FORMAT),
  madeBy: text,
  madeAt: v.pipe(v.string(), v.isoTimestamp("is not a time")),
  target: v.strictObject({ kind: v.picklist(TARGET_KINDS), name: text }),
  verdict: state,
  links: list(v.strictObject({ name: linkName, subject: text, state, by: v.nullable(text) })),
  source: v.nullable(
    v.strictObject({
      reference: text,
      manifestDigest: text,
      manifest: base64,
      config: base64,
      layers: list(v.strictObject({ digest: text, sizeBytes: size, diffId: text })),
    }),
  ),
  softwareLists: list(v.strictObject({ path: text, sizeBytes: size, sha256 })),
  images: list(v.strictObject({ id: text, algorithm: v.picklist(["sha256", "sha512"]), rule: v.nullable(text) })),
  programs: list(programSchema),
  keys: list(keysSchema),
  disk: v.nullable(
    v.strictObject({
      guid: uuid,
      partitions: list(v.strictObject({ number: size, name: text, typeGuid: uuid, guid: uuid, sizeBytes: size })),
    }),
  ),
  quote: v.nullable(quoteSchema),
});

export type Evidence = v.InferOutput<typeof evidenceSchema>;
export type EvidenceProgram = v.InferOutput<typeof programSchema>;
export type EvidenceQuote = v.InferOutput<typeof quoteSchema>;

/**
 * Reads evidence.
 * @param path names it in errors
 * @throws SealrootError `corrupt` for anything that is not exactly of this format; `unsupported` for another version of it
 */
export function readEvidence(bytes: Uint8Array, path: string): Evidence {
  if (bytes.length > EVIDENCE_MAX_BYTES)
    throw corrupt(`Cannot read evidence ${path}: it has ${bytes.length} bytes`, { path });
  // What two readers could read differently is refused; then it is read once more, as plain objects.
  parseStrictJson(bytes, `evidence ${path}`);
  const document: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
  const format =
    typeof document === "object" && document !== null && "format" in document ? document.format : undefined;
  if (format !== FORMAT) {
    throw new SealrootError("unsupported", `Cannot read evidence ${path}: its format is not known here`, {
      ...{ path, expected: FORMAT, actual: String(format).slice(0, 100) },
      hint: "evidence is what sealroot verify --evidence writes",
    });
  }
  const result = v.safeParse(evidenceSchema, document);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw corrupt(`Cannot read evidence ${path}: ${v.getDotPath(issue) ?? "the document"}: ${issue.message}`, { path });
}

/** The file: readable, and the same bytes for the same evidence. */
export function evidenceText(evidence: Evidence): string {
  return `${JSON.stringify(evidence, undefined, 2)}\n`;
}

export function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export function bytesOfBase64(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value, "base64"));
}

/** A quote before the TPM has answered. */
export type UnsignedQuote = Omit<EvidenceQuote, "attest" | "signature">;

/**
 * What the TPM signs along with its registers: a digest over the nonce and over everything but its own answer, so that nothing in
 * the evidence can be changed afterwards, not even the descriptions in the event log.
 *
 * @returns SHA-256 of the format's name, NUL, the nonce, and the SHA-256 of the rest as JSON without spaces, keys sorted by their
 *   code units
 */
export function bindingOf(evidence: Omit<Evidence, "quote"> & { readonly quote: UnsignedQuote }): Uint8Array {
  const { nonce, attestationKey, registers, eventLog } = evidence.quote;
  const bound = { ...evidence, quote: { nonce, attestationKey, registers, eventLog } };
  const digest = createHash("sha256")
    .update(JSON.stringify(sorted(bound)))
    .digest();
  return createHash("sha256").update(`${FORMAT}\0`).update(fromHex(nonce)).update(digest).digest();
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
