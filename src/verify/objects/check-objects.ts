/** Every object of a disk, each once, on all cores. */
import { byteStringOfText } from "../../bytes/index.ts";
import { REPOSITORY_PATH } from "../../deployment/index.ts";
import type { Ext4Tree } from "../../disk/index.ts";
import { reasonOf } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import { WorkerPool } from "../../platform/index.ts";
import { objectPath } from "../../tree/index.ts";
import { checkVerityFiles, type RootPlace, type VerifyJobs } from "./object-jobs.ts";
import type { ObjectFault } from "./verity-file.ts";

/** An object that an image names. */
export interface NamedObject {
  readonly id: string;
  readonly sizeBytes: number;
}

export interface FaultyObject {
  readonly id: string;
  /** On the physical root. */
  readonly path: string;
  readonly fault: ObjectFault;
}

export interface CheckedObjects {
  readonly faults: readonly FaultyObject[];
  readonly hashedBytes: number;
}

/** Below this, threads take longer to start than the work takes (60 ms against 400 MB/s). */
const HERE_BYTES = 1 << 24;
/** A request: large enough that sending it costs nothing, small enough for progress and an even end. */
const BATCH_BYTES = 1 << 23;
const BATCH_OBJECTS = 256;

/** @param objects each id once */
export async function checkObjects(
  root: Ext4Tree,
  place: RootPlace,
  objects: readonly NamedObject[],
  progress: StepReporter["progress"],
): Promise<CheckedObjects> {
  const faults: FaultyObject[] = [];
  const found: (NamedObject & { readonly inode: number })[] = [];
  for (const object of objects) {
    const inode = inodeOf(root, object.id);
    if (typeof inode === "number") found.push({ ...object, inode });
    else faults.push(faulty(object.id, inode));
  }
  const totalBytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let [done, hashedBytes] = [0, 0];
  const pool = totalBytes > HERE_BYTES ? new WorkerPool<VerifyJobs>(WORKER) : undefined;
  const check = async (batch: typeof found): Promise<void> => {
    const input = { place, objects: batch.map(({ inode, id }) => ({ inode, id })) };
    const verdicts = pool === undefined ? checkVerityFiles(input) : await pool.run("check-verity-files", input);
    for (const [index, { sizeBytes, fault }] of verdicts.entries()) {
      hashedBytes += sizeBytes;
      const id = batch[index]?.id ?? "";
      if (fault !== undefined) faults.push(faulty(id, fault));
    }
    done += batch.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    progress(done, totalBytes, "bytes");
  };
  try {
    await Promise.all(batches(found).map(check));
  } finally {
    await pool?.close();
  }
  const order = new Map(objects.map(({ id }, index) => [id, index]));
  faults.sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
  return { faults, hashedBytes };
}

const WORKER = new URL("./verify-worker.ts", import.meta.url);

function batches<Item extends NamedObject>(objects: readonly Item[]): Item[][] {
  const all: Item[][] = [];
  let [batch, sizeBytes]: [Item[], number] = [[], 0];
  for (const object of objects) {
    batch.push(object);
    sizeBytes += object.sizeBytes;
    if (batch.length < BATCH_OBJECTS && sizeBytes < BATCH_BYTES) continue;
    all.push(batch);
    [batch, sizeBytes] = [[], 0];
  }
  return batch.length === 0 ? all : [...all, batch];
}

/** Links on the way are followed by nobody: an object is in its folder, or it is not there. */
function inodeOf(root: Ext4Tree, id: string): number | ObjectFault {
  const path = objectPath(id);
  const slash = path.lastIndexOf("/");
  try {
    const folder = root.find(byteStringOfText(`${REPOSITORY_PATH}/objects/${path.slice(0, slash)}`));
    if (folder?.kind !== "directory") return missing();
    return root.names(folder).get(byteStringOfText(path.slice(slash + 1))) ?? missing();
  } catch (error) {
    return { kind: "unreadable", message: reasonOf(error) };
  }
}

function faulty(id: string, fault: ObjectFault): FaultyObject {
  return { id, path: `${REPOSITORY_PATH}/objects/${objectPath(id)}`, fault };
}

function missing(): ObjectFault {
  return { kind: "missing", message: "it is not there", expected: "a regular file", found: "nothing" };
}
