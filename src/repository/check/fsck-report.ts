/** What a check of a repository found, and the reference tools' wording (spec/repository.md 7). */

import { oneLine } from "../../errors/index.ts";
import type { ObjectFaultKind } from "../../objects/index.ts";

/** The kinds of findings; those after the empty line are ours, the reference does not look for them. */
export type FindingKind =
  | "metadata-parse-failed"
  | "metadata-algorithm-mismatch"
  | "object-invalid-name"
  | ObjectFaultKind
  | "entry-not-symlink"
  | "broken-symlink"
  | "unexpected-file-type"
  | "stream-open-failed"
  | "stream-read-failed"
  | "missing-object-ref"
  | "missing-named-ref"
  | "image-open-failed"
  | "image-invalid"
  | "image-missing-object"
  //
  | "entry-invalid-name"
  | "image-name-mismatch"
  | "reference-outside-category"
  | "stream-content-mismatch"
  | "leftover";

export interface Finding {
  readonly kind: FindingKind;
  /** Relative to the repository. */
  readonly path: string;
  readonly detail?: string;
}

export interface FsckReport {
  readonly metadata: "ok" | "error";
  readonly objectsChecked: number;
  readonly objectsCorrupted: number;
  readonly streamsChecked: number;
  readonly streamsCorrupted: number;
  readonly imagesChecked: number;
  readonly imagesCorrupted: number;
  readonly brokenLinks: number;
  readonly missingObjects: number;
  /** What is wrong, ordered by kind of thing, then path. */
  readonly errors: readonly Finding[];
  /** What is untidy but harmless: temporaries of dead processes, which gc removes. */
  readonly leftovers: readonly Finding[];
}

/** `kind: path: detail` */
export function findingText({ kind, path, detail }: Finding): string {
  return detail === undefined ? `${kind}: ${path}` : `${kind}: ${path}: ${detail}`;
}

/** The lines of the reference's text form; control characters in names are escaped. */
export function fsckLines(report: FsckReport): string[] {
  const ratio = (checked: number, corrupted: number) => `${checked - corrupted}/${checked} ok`;
  const status = report.errors.length === 0 ? "ok" : `${report.errors.length} error(s)`;
  return [
    `meta.json: ${report.metadata}`,
    `objects: ${ratio(report.objectsChecked, report.objectsCorrupted)}`,
    `streams: ${ratio(report.streamsChecked, report.streamsCorrupted)}`,
    `images: ${ratio(report.imagesChecked, report.imagesCorrupted)}`,
    ...(report.brokenLinks === 0 ? [] : [`broken symlinks: ${report.brokenLinks}`]),
    ...(report.missingObjects === 0 ? [] : [`missing objects: ${report.missingObjects}`]),
    `status: ${status}`,
    ...report.errors.map((finding) => oneLine(`  - fsck: ${findingText(finding)}`)),
  ];
}

/** The reference's JSON form. */
export function fsckJson(report: FsckReport): Readonly<Record<string, unknown>> {
  return {
    ok: report.errors.length === 0,
    has_metadata: true,
    objects_checked: report.objectsChecked,
    objects_corrupted: report.objectsCorrupted,
    streams_checked: report.streamsChecked,
    streams_corrupted: report.streamsCorrupted,
    images_checked: report.imagesChecked,
    images_corrupted: report.imagesCorrupted,
    broken_links: report.brokenLinks,
    missing_objects: report.missingObjects,
    errors: report.errors.map((finding) => `fsck: ${findingText(finding)}`),
  };
}

/** What {@link fsckFullJson} adds to a report. */
interface FsckContext {
  /** References that lead to something broken or missing. */
  readonly hit: readonly string[];
  /** Of a repair; absent if nothing was to be changed. */
  readonly repair?: {
    readonly before: FsckReport;
    readonly removed: readonly string[];
    readonly protected: readonly string[];
  };
}

/** Everything we know, in our own form: findings as data, leftovers, what is affected, what was done. */
export function fsckFullJson(report: FsckReport, { hit, repair }: FsckContext): Readonly<Record<string, unknown>> {
  const { errors, leftovers, metadata, ...counts } = report;
  return {
    ok: errors.length === 0,
    metadata,
    ...counts,
    findings: errors,
    leftovers: leftovers.map(({ path }) => path),
    hitReferences: hit,
    ...(repair === undefined
      ? {}
      : { repair: { findings: repair.before.errors, removed: repair.removed, protected: repair.protected } }),
  };
}
