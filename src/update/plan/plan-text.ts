/** A plan for people: one screen. */

import { formatSize } from "../../bytes/index.ts";
import { etcConflictText } from "../../deployment/index.ts";
import { statusReference } from "../../host/index.ts";
import type { PackageChanges } from "../../packages/index.ts";
import { quotePath } from "../../tree/index.ts";
import {
  isKnown,
  type Known,
  type PlannedBoot,
  type PlannedEsp,
  type PlannedEtc,
  type PlannedFetch,
  type PlannedGarbage,
  type PlannedImage,
  type PlannedPackages,
  type PlannedRoot,
  type PlannedTpm,
  type UpdatePlan,
} from "./update-plan.ts";

/** More packages than this are counted only, unless all is asked for. */
const PACKAGES_SHOWN = 10;
const SHORT_DIGEST_CHARACTERS = "sha256:".length + 12;
const LABEL_CHARACTERS = 12;

type Row = readonly [string, string];

/** Lines without line ends. @param verbose true: all packages, and the files by name */
export function planText(plan: UpdatePlan, verbose: boolean): string[] {
  const { image, transport } = statusReference(plan.image);
  const name = transport === "registry" ? image : `${transport}:${image}`;
  if (plan.standing !== "new") return [`No changes in: ${name}`, ...presentLines(plan)];
  const source = plan.basis === "registry" ? "nothing was fetched" : "fetched, not staged";
  const lines = [`Plan of the update to ${name} (${source})`];
  const unknown = new Map<string, string[]>();
  const add = <Value>(
    label: string,
    value: Known<Value>,
    rows: (known: Exclude<Value, { unknown: string }>) => string[],
  ) => {
    if (isKnown(value)) {
      const [first = "", ...more] = rows(value);
      lines.push(row([label, first]), ...more.map((text) => `    ${text}`));
    } else {
      const reason = (value as { readonly unknown: string }).unknown;
      unknown.set(reason, [...(unknown.get(reason) ?? []), label]);
    }
  };
  add("Now", plan.from, (from) => [imageText(from)]);
  add("Then", plan.to, (to) => [imageText(to)]);
  add("Fetch", plan.fetch, (fetch) => [fetchText(fetch, plan.basis)]);
  add("Root", rootNeed(plan.root), (text) => [text]);
  add("ESP", plan.esp, (esp) => [espText(esp)]);
  if (isKnown(plan.packages)) {
    for (const { tool, changes } of plan.packages)
      add(labelOf(tool, plan.packages), changes, (known) => packageLines(known, verbose));
  } else add("Packages", plan.packages, () => []);
  add("Files", plan.files, ({ added, removed, changed }) => [
    `${added.length} added, ${removed.length} removed, ${changed.length} changed`,
    ...(verbose
      ? [
          ...added.map((path) => `added ${quotePath(path)}`),
          ...removed.map((path) => `removed ${quotePath(path)}`),
          ...changed.map((path) => `changed ${quotePath(path)}`),
        ]
      : []),
  ]);
  add("/etc", plan.etc, etcLines);
  add("Kernel", plan.boot, (boot) => [kernelText(boot)]);
  add("TPM", isKnown(plan.boot) ? plan.boot.tpm : plan.boot, (tpm) => [tpmText(tpm)]);
  add("Garbage", plan.garbage, (garbage) => [garbageText(garbage)]);
  for (const [reason, labels] of unknown) lines.push(row(["Unknown", `${labels.join(", ")}: ${reason}`]));
  return lines;
}

function row([label, text]: Row): string {
  return `  ${`${label}:`.padEnd(LABEL_CHARACTERS)}${text}`;
}

function presentLines({ standing }: UpdatePlan): string[] {
  if (standing === "booted") return [];
  return [standing === "staged" ? "It is staged already" : "It is another deployment of this host"];
}

function imageText({ version, manifestDigest, deploymentId }: PlannedImage): string {
  const digest = manifestDigest?.slice(0, SHORT_DIGEST_CHARACTERS) ?? deploymentId?.slice(0, SHORT_DIGEST_CHARACTERS);
  return [version, digest].filter((text) => text !== undefined).join(", ");
}

function atMost(certainty: "exact" | "at-most"): string {
  return certainty === "exact" ? "" : "at most ";
}

function fetchText({ bytes, certainty, layersBytes, layers }: PlannedFetch, basis: UpdatePlan["basis"]): string {
  const wanted = layers.filter(({ fetchBytes }) => fetchBytes > 0);
  const verb = basis === "fetched" ? "fetched " : "";
  const from = `in ${wanted.length} of ${layers.length} layers`;
  return `${verb}${atMost(certainty)}${formatSize(bytes)} of ${formatSize(layersBytes)}, ${from}`;
}

/** Objects and state; what is there of it already is not free any more. */
function rootNeed({ freeBytes, requiredBytes, objects, state }: PlannedRoot): Known<string> {
  const demanded = requiredBytes > 0 ? `, ${formatSize(requiredBytes)} demanded` : "";
  const free = `${formatSize(freeBytes)} free${demanded}`;
  if (!isKnown(objects)) return isKnown(state) ? { unknown: objects.unknown } : `what is stored is not known; ${free}`;
  if (!isKnown(state)) return { unknown: state.unknown };
  return `${atMost(objects.certainty)}${formatSize(objects.allottedBytes + state.finalized.allottedBytes)}; ${free}`;
}

function espText({ bootFiles, freeBytes, neededBytes }: PlannedEsp): string {
  const bytes = bootFiles.reduce((sum, file) => sum + file.bytes, 0);
  return `${formatSize(bytes)}; ${formatSize(freeBytes)} free, ${formatSize(neededBytes)} demanded`;
}

function labelOf(tool: PlannedPackages["tool"], all: readonly PlannedPackages[]): string {
  return all.length === 1 ? "Packages" : `${tool}`;
}

function packageLines({ added, removed, upgraded, downgraded, replaced }: PackageChanges, verbose: boolean): string[] {
  const counts = Object.entries({ upgraded, downgraded, added, removed, replaced }).filter(
    ([, list]) => list.length > 0,
  );
  if (counts.length === 0) return ["none changes"];
  const pairs = (word: string, list: PackageChanges["upgraded"]) =>
    list.map(({ name, from, to }) => `${word.padEnd(11)}${name} ${from.version} -> ${to.version}`);
  const lines = [
    ...pairs("upgraded", upgraded),
    ...pairs("downgraded", downgraded),
    ...added.map(({ name, version }) => `added      ${name} ${version}`),
    ...removed.map(({ name, version }) => `removed    ${name} ${version}`),
    ...replaced.map(({ name, from, to }) => `replaced   ${name} ${from.architecture} -> ${to.architecture}`),
  ];
  const shown = verbose || lines.length <= PACKAGES_SHOWN ? lines : lines.slice(0, PACKAGES_SHOWN);
  const rest = lines.length - shown.length;
  return [
    counts.map(([word, list]) => `${list.length} ${word}`).join(", "),
    ...shown,
    ...(rest === 0 ? [] : [`${rest} more: --verbose`]),
  ];
}

function etcLines({ conflicts, kept }: PlannedEtc): string[] {
  const count = conflicts.length === 0 ? "no conflicts" : `${conflicts.length} in conflict`;
  const changes = `kept of this host: ${kept.added} added, ${kept.modified} modified, ${kept.removed} removed`;
  return [`${count}; ${changes}`, ...conflicts.map(etcConflictText)];
}

function kernelText({ kernelChanges, kernelArguments, softReboot }: PlannedBoot): string {
  const { added, removed } = kernelArguments;
  const changes = [...added.map((text) => `+${text}`), ...removed.map((text) => `-${text}`)];
  const line = changes.length === 0 ? "the same arguments" : `arguments ${changes.join(" ")}`;
  const reboot = softReboot ? "a soft reboot is enough" : "a reboot is needed";
  return `${kernelChanges ? "another kernel or initramfs" : "the same kernel"}, ${line}; ${reboot}`;
}

function tpmText({ changedPcrs, signedPolicy, volumes }: PlannedTpm): string {
  const uses = volumes.length === 0 ? "" : ` (unlocks ${volumes.join(", ")})`;
  if (changedPcrs.length === 0) return `no PCR changes${uses}`;
  const pcrs = `PCR ${changedPcrs.slice(0, -1).join(", ")} and ${changedPcrs.at(-1)} change`;
  if (signedPolicy === "same-key") return `${pcrs}; the signed policy for PCR 11 is by the same key${uses}`;
  if (signedPolicy === "other-key" || signedPolicy === "lost") {
    return `${pcrs}, and the signed policy for PCR 11 is ${signedPolicy === "lost" ? "gone" : "by another key"}${uses}`;
  }
  return `${pcrs}; what is bound to them is not released${uses}`;
}

function garbageText({ deployments, bytes }: PlannedGarbage): string {
  const count = deployments.length === 1 ? "1 deployment" : `${deployments.length} deployments`;
  return deployments.length === 0
    ? `${formatSize(bytes)} by gc then`
    : `${formatSize(bytes)} by gc then, ${count} less`;
}
