/**
 * evidence: one document about a system: the image that it came from, what boots it, its keys and its disk, with the word of its
 * TPM for all of it; made of what `verify/` has seen, and judged without the system.
 *
 * System room: takes the TPM as a channel and files as bytes; prints nothing.
 * @module
 */
export { checkEvidence } from "./check-evidence.ts";
export { pinnedKey } from "./check-quote.ts";
export { collectEvidence, type Maker, type QuoteRequest, quoteEvidence, type RunningParts } from "./collect.ts";
export { bindingOf, EVIDENCE_MAX_BYTES, type Evidence, evidenceText, readEvidence } from "./evidence.ts";
export type { EvidenceOptions } from "./options.ts";
export { QUOTED_REGISTERS } from "./registers.ts";
export { runningParts } from "./running-parts.ts";
