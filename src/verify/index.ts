/**
 * verify: why a system is to be trusted: each link from the firmware's keys to the last object, checked from whatever is at
 * hand, and the first one that does not hold.
 *
 * System room: reads disks, images and hosts through the stores and writes nothing; prints nothing.
 * @module
 */

export type { FirmwareKeys } from "./boot/firmware-keys.ts";
export { checkFirmwareKeys } from "./boot/firmware-keys.ts";
export { checkProgram } from "./boot/program-signature.ts";
export { verifyBooted } from "./booted/verify-booted.ts";
export { type ImageDocuments, Materials, type NamedImage, type SoftwareList } from "./policy/materials.ts";
export type { VerifyOptions } from "./policy/options.ts";
export { type JudgedChain, type JudgedProgram, judgePolicy, NO_POLICY, type Policy } from "./policy/policy.ts";
export {
  allLinks,
  ChainDraft,
  type Finding,
  LINK_NAMES,
  type Link,
  LinkDraft,
  type LinkName,
  type LinkState,
} from "./report/link.ts";
export { firstBroken, stateOf, TARGET_KINDS, type TargetKind, type VerifyReport } from "./report/report.ts";
export { reportHtml } from "./report/report-html.ts";
export { reportJson } from "./report/report-json.ts";
export { reportLines } from "./report/report-text.ts";
export { verify } from "./verify.ts";
