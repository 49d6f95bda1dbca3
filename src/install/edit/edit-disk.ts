/**
 * `install edit`: looks into `/etc` and `/var` of a deployment on a disk that does not run, and changes them, without root
 * and without mounting anything.
 */
import { fsyncSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type ByteString, byteStringOfText, compareByteStrings, displayText } from "../../bytes/index.ts";
import { bytesNeeded, checkChanges, editExt4, inMib } from "../../disk/index.ts";
import { SealrootError } from "../../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../../events/index.ts";
import { inspectFilePlace, requireTools, syncDirectory, takeOverAccess, temporaryFile } from "../../platform/index.ts";
import { LABEL_XATTR, PERMISSION_MASK, quotePath } from "../../tree/index.ts";
import { checkEdit } from "./check-edit.ts";
import { EditPlan, requireArea } from "./edit-plan.ts";
import { holdDisk } from "./hold-disk.ts";
import { hostFile } from "./host-file.ts";
import { type OpenDeployment, openDeployment } from "./open-deployment.ts";
import { ownerOf } from "./owner.ts";
import { stateLabels } from "./state-labels.ts";
import { kindOf, type StatePlace } from "./state-tree.ts";
import { copyDisk } from "./work-copy.ts";

export interface EditTarget {
  readonly disk: string;
  /** Id of the deployment or its first digits; the one that boots by default when absent. */
  readonly deployment?: string;
  readonly events: EventSink;
}

/** A file of `/etc` or `/var`. */
export interface StateFile {
  /** Where it really is, for a person: names that are not UTF-8 have replacement characters. */
  readonly path: string;
  readonly kind: ReturnType<typeof kindOf>;
  /** Permission bits in octal. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly mtimeSeconds: number;
  /** Of a symbolic link. */
  readonly target: string | null;
  readonly label: string | null;
}

/** A change that was made. */
export interface StateEdit {
  readonly path: string;
  readonly change: "added" | "replaced" | "removed";
}

export interface EditedDisk {
  readonly deploymentId: string;
  readonly edits: readonly StateEdit[];
}

/** Anything that changes the disk. */
export type EditAction =
  | {
      readonly type: "put";
      readonly path: string;
      /** Paths on this machine. */
      readonly sources: readonly string[];
      readonly mode?: number;
      /** `USER[:GROUP]`, names of the deployment or numbers. */
      readonly owner?: string;
    }
  | { readonly type: "mkdir"; readonly path: string; readonly mode?: number; readonly owner?: string }
  | { readonly type: "remove"; readonly path: string; readonly recursive: boolean };

const TOOLS = ["debugfs", "e2fsck"];

/**
 * What is at a path: the files of a directory, or the file itself; a link at the end is not followed.
 * @throws SealrootError `not-found`; as {@link openDeployment}
 */
export async function listState(
  target: EditTarget,
  path: string,
  recursive: boolean,
): Promise<{ readonly deploymentId: string; readonly files: readonly StateFile[] }> {
  using held = holdDisk(target.disk, false);
  const deployment = await runStep(target.events, "read the disk", ({ warn }) =>
    openDeployment(held, target.deployment, warn),
  );
  const found = deployment.tree.resolve(byteStringOfText(path), path.endsWith("/"));
  requireArea(deployment, found, byteStringOfText(path));
  if (found.missing.length > 0) throw notThere("list", path);
  const files: StateFile[] = [];
  const visit = (place: StatePlace, real: ByteString): void => {
    for (const { name, place: child } of deployment.tree.list(place)) {
      const childPath = `${real}/${name}` as ByteString;
      files.push(describe(deployment, child, childPath));
      if (recursive) visit(child, childPath);
    }
  };
  if (kindOf(found.place) === "directory") visit(found.place, found.path);
  else files.push(describe(deployment, found.place, found.path));
  return { deploymentId: deployment.deploymentId, files };
}

function describe({ tree }: OpenDeployment, place: StatePlace, path: ByteString): StateFile {
  if (place.of !== "state") throw new Error("unreachable: below the state everything is of the state");
  const { file } = place;
  const { reader } = tree.disk;
  const label = reader.xattrs(file).get(LABEL_XATTR);
  return {
    path: displayText(path),
    kind: file.kind,
    mode: (file.mode & PERMISSION_MASK).toString(8).padStart(4, "0"),
    uid: file.uid,
    gid: file.gid,
    sizeBytes: file.sizeBytes,
    mtimeSeconds: Number(file.mtimeSeconds),
    target: file.kind === "symlink" ? displayText(reader.target(file)) : null,
    label: label === undefined ? null : Buffer.from(label).toString("utf8").replace(/\0$/, ""),
  };
}

/**
 * Hands out the content of a file in pieces. Links are followed inside the deployment.
 * @throws SealrootError `not-found`, `unsupported` for anything but a file; as {@link openDeployment}
 */
export async function readStateFile(
  target: EditTarget,
  path: string,
  take: (piece: Uint8Array) => Promise<void> | void,
): Promise<void> {
  using held = holdDisk(target.disk, false);
  const deployment = await runStep(target.events, "read the disk", ({ warn }) =>
    openDeployment(held, target.deployment, warn),
  );
  const found = deployment.tree.resolve(byteStringOfText(path), true);
  requireArea(deployment, found, byteStringOfText(path));
  if (found.missing.length > 0) throw notThere("get", path);
  const { place } = found;
  if (place.of !== "state" || place.file.kind !== "file") {
    const what = quotePath(byteStringOfText(path));
    throw new SealrootError("unsupported", `Cannot get ${what}: it is a ${kindOf(place)}, not a regular file`, {
      path,
    });
  }
  for (const piece of deployment.tree.disk.reader.pieces(place.file)) await take(piece);
}

/**
 * As {@link readStateFile}, into a file of this machine, which gets its name when it is complete.
 * @throws SealrootError as `inspectFilePlace`
 */
export async function saveStateFile(target: EditTarget, path: string, output: string): Promise<void> {
  const action = `Cannot write ${output}`;
  const place = inspectFilePlace(output, action);
  using file = temporaryFile({ parent: dirname(place.path), purpose: "file", mode: 0o666 });
  await readStateFile(target, path, (piece) => writeFileSync(file.fd, piece));
  takeOverAccess(file.fd, file.path, place, action);
  fsyncSync(file.fd);
  renameSync(file.path, place.path);
  syncDirectory(dirname(place.path));
}

function notThere(verb: string, path: string): SealrootError {
  const what = quotePath(byteStringOfText(path));
  return new SealrootError("not-found", `Cannot ${verb} ${what}: there is no such file`, { path });
}

/**
 * Changes a disk file: a copy of it (which shares its blocks where the file system can do that) is changed, checked and
 * then named like it, so that whatever happens the name leads to the old disk or to the new one.
 *
 * @param epochSeconds time of what is made
 * @throws SealrootError what the steps throw: `conflict` when the disk is in use or was not unmounted, `unsupported` for
 *   what cannot be changed, `no-space` …
 */
export async function editDisk(target: EditTarget, action: EditAction, epochSeconds: number): Promise<EditedDisk> {
  const { events } = target;
  requireTools(TOOLS);
  using held = holdDisk(target.disk, true);
  const { deployment, plan } = await runStep(events, "read the disk", async ({ warn }) => {
    const opened = await openDeployment(held, target.deployment, warn);
    return { deployment: opened, plan: planEdit(opened, action, warn) };
  });
  const { deploymentId, parts } = deployment;
  const edits = plan.edits
    .toSorted((a, b) => compareByteStrings(a.path, b.path))
    .map(({ path, change }) => ({ path: displayText(path), change }));
  if (plan.changes.length === 0) return { deploymentId, edits };
  checkChanges(plan.changes);
  checkSpace(deployment, plan);
  using copy = await runStep(events, "copy the disk", (reporter: StepReporter) => copyDisk(held, reporter));
  const { startBytes } = parts.rootPartition;
  await runStep(events, "change the copy", () => editExt4(copy.disk, startBytes, plan.changes, epochSeconds));
  await runStep(events, "check the copy", () => checkEdit(copy.disk, startBytes, plan.changes, held.path));
  await runStep(events, "finish the disk", () => copy.publish());
  return { deploymentId, edits };
}

function planEdit(deployment: OpenDeployment, action: EditAction, warn: (text: string) => void): EditPlan {
  const plan = new EditPlan(deployment, stateLabels(deployment.tree), warn);
  const path = byteStringOfText(action.path);
  if (action.type === "remove") {
    plan.remove(path, action.recursive);
    return plan;
  }
  const attributes = {
    ...(action.mode === undefined ? {} : { mode: action.mode }),
    ...(action.owner === undefined ? {} : ownerOf(deployment.tree, action.owner)),
  };
  if (action.type === "mkdir") {
    plan.makeDirectory(path, attributes);
    return plan;
  }
  const sources = action.sources.map(hostFile);
  const isInto = sources.length > 1 || action.path.endsWith("/") || isDirectory(deployment, path);
  for (const { name, file } of sources) {
    plan.put(isInto ? (`${path}/${name}` as ByteString) : path, file, attributes);
  }
  return plan;
}

function isDirectory({ tree }: OpenDeployment, path: ByteString): boolean {
  const { missing, place } = tree.resolve(path, true);
  return missing.length === 0 && kindOf(place) === "directory";
}

/** debugfs would also use what is reserved for root. */
function checkSpace({ parts }: OpenDeployment, { changes }: EditPlan): void {
  const { blockBytes, freeBlocks, reservedBlocks } = parts.root.reader.superblock;
  const neededBytes = bytesNeeded(changes, blockBytes, (source) => statSync(source).size);
  const freeBytes = Math.max(0, freeBlocks - reservedBlocks) * blockBytes;
  if (neededBytes <= freeBytes) return;
  throw new SealrootError(
    "no-space",
    `Cannot edit the disk: ${inMib(neededBytes)} needed, ${inMib(freeBytes)} free in its root file system`,
    { expected: String(neededBytes), actual: String(freeBytes) },
  );
}
