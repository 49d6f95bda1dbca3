/** Evidence beside what is at hand now: every difference is a broken link. */
import type { ChainDraft } from "../verify/index.ts";
import { ROLES } from "./check-programs.ts";
import type { Evidence, EvidenceProgram } from "./evidence.ts";

/** Where programs are that boot, and all of them. */
const SYSTEMS: readonly string[] = ["disk", "booted system"];

/** @param atHand evidence that was collected now */
export function compareEvidence(chain: ChainDraft, evidence: Evidence, atHand: Evidence): void {
  const target = `${atHand.target.kind} ${atHand.target.name}`;
  const isSameKind =
    evidence.target.kind === atHand.target.kind ||
    [evidence, atHand].every(({ target: { kind } }) => SYSTEMS.includes(kind));
  const itself = chain.link("evidence", `beside ${target}`);
  itself.fact(`${atHand.links.length} links of what is at hand were checked now`);
  const broken = atHand.links.find(({ state }) => state === "broken");
  if (broken !== undefined) itself.broken(`what is at hand is broken at ${broken.name} ${broken.subject}`);
  comparePrograms(chain, evidence, atHand, { target, isSameKind });
  compareImages(chain, evidence, atHand, { target, isSameKind });
  if (evidence.source !== null && atHand.source !== null) {
    const [expected, found] = [evidence.source.manifestDigest, atHand.source.manifestDigest];
    const draft = chain.link("source", `beside ${target}`);
    if (expected !== found) draft.broken("the image at hand is another one", { expected, found });
    else draft.checkedBy(`the manifest ${found}`);
  }
  if (evidence.disk !== null && atHand.disk !== null) {
    const [expected, found] = [evidence.disk, atHand.disk].map(({ guid, partitions }) =>
      [guid, ...partitions.map((partition) => `${partition.guid} of ${partition.sizeBytes} bytes`)].join(", "),
    );
    const draft = chain.link("disk", `beside ${target}`);
    if (expected !== found)
      draft.broken("the disk at hand is another one", { expected: expected ?? "", found: found ?? "" });
    else draft.checkedBy("the GUIDs and sizes of its partitions");
  }
  compareKeys(chain, evidence, atHand, { target, isSameKind });
}

interface Beside {
  readonly target: string;
  /** Both are of a whole system, or of the same kind of thing: then neither may have more than the other. */
  readonly isSameKind: boolean;
}

function comparePrograms(
  chain: ChainDraft,
  evidence: Evidence,
  atHand: Evidence,
  { target, isSameKind }: Beside,
): void {
  const roles: EvidenceProgram["role"][] = ["loader", "uki", "add-on", "program"];
  for (const role of roles) {
    const [stated, found] = [evidence, atHand].map(({ programs }) =>
      programs.filter((program) => program.role === role),
    );
    // An image has add-ons that may be installed, a system those that were.
    if (stated === undefined || found === undefined || (role === "add-on" && !isSameKind)) continue;
    if (stated.length + found.length === 0 || (!isSameKind && found.length === 0)) continue;
    const draft = chain.link(ROLES[role].link, `beside ${target}`);
    for (const { path, sha256 } of found) {
      if (stated.some((program) => program.sha256 === sha256)) continue;
      const known = stated.find((program) => program.path === path) ?? stated[0];
      draft.broken("the evidence does not have it", { path, expected: known?.sha256 ?? "none", found: sha256 });
    }
    for (const { path, sha256 } of isSameKind ? stated : []) {
      if (found.some((program) => program.sha256 === sha256)) continue;
      draft.broken("what is at hand does not have it", { path, expected: sha256, found: "nothing of that digest" });
    }
    if (!draft.isBroken) draft.checkedBy(`the sha256 of ${found.length} ${found.length === 1 ? "file" : "files"}`);
  }
}

function compareImages(chain: ChainDraft, evidence: Evidence, atHand: Evidence, { target, isSameKind }: Beside): void {
  const [stated, found] = [evidence, atHand].map(({ images }) => images.map(({ id }) => id));
  if (stated === undefined || found === undefined || found.length === 0) return;
  const draft = chain.link("image", `beside ${target}`);
  for (const id of found) {
    if (!stated.includes(id)) draft.broken("the evidence does not have it", { expected: stated.join(", "), found: id });
  }
  for (const id of isSameKind ? stated : []) {
    if (!found.includes(id))
      draft.broken("what is at hand does not have it", { expected: id, found: found.join(", ") });
  }
  if (!draft.isBroken) draft.checkedBy("their digests");
}

/** Of systems alone: an image brings keys along, and a machine may have enrolled others. */
function compareKeys(chain: ChainDraft, evidence: Evidence, atHand: Evidence, { target }: Beside): void {
  if (evidence.target.kind !== atHand.target.kind) return;
  for (const stated of evidence.keys) {
    const found = atHand.keys.find(({ name }) => name === stated.name);
    if (found === undefined) continue;
    const draft = chain.link("keys", `${stated.name}, beside ${target}`);
    const other = (["PK", "KEK", "db", "dbx"] as const).filter((name) => stated[name] !== found[name]);
    if (other.length > 0) draft.broken(`what is at hand has another ${other.join(", ")}`);
    else draft.checkedBy("their bytes");
  }
}
