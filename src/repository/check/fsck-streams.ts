/** Checking streams: header, references, and content. */

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { hasErrno, reasonOf, SealrootError } from "../../errors/index.ts";
import type { StepReporter } from "../../events/index.ts";
import type { ObjectVerifier } from "../../objects/index.ts";
import { readSplitStream } from "../../splitstream/index.ts";
import type { LinkEntry } from "../link-store.ts";
import type { Repository } from "../repository.ts";
import { streamContent } from "../stream-content.ts";
import type { Finding } from "./fsck-report.ts";

/** This many bytes are hashed at once, about 2 ms, before signals and answers are handled. */
const TURN_BYTES = 2 << 20;

interface CheckedStreams {
  readonly findings: readonly Finding[];
  /** Streams that state the digest of their content and have all their objects. */
  readonly readable: readonly LinkEntry[];
}

/**
 * Checks headers and references of the streams that the entries lead to.
 * @param hasObject whether an object with that id is in the repository
 */
export function checkStreams(
  repository: Repository,
  entries: readonly LinkEntry[],
  hasObject: (objectId: string) => boolean,
): CheckedStreams {
  const findings: Finding[] = [];
  const readable: LinkEntry[] = [];
  for (const entry of entries) {
    const found = checkStreamReferences(repository, entry, hasObject);
    findings.push(...found);
    if (found.length === 0 && statedDigest(entry) !== undefined) readable.push(entry);
  }
  return { findings, readable };
}

/**
 * Reassembles streams whose content id states a digest, and compares.
 * @param verifier reads the objects that it has not read yet
 */
export async function checkStreamContents(
  repository: Repository,
  entries: readonly LinkEntry[],
  verifier: ObjectVerifier | undefined,
  reporter: StepReporter,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [index, entry] of entries.entries()) {
    findings.push(...(await checkStreamContent(repository, entry, verifier)));
    reporter.progress(index + 1, entries.length, "items");
  }
  return findings;
}

function checkStreamReferences(
  repository: Repository,
  { entry, objectId }: LinkEntry,
  hasObject: (objectId: string) => boolean,
): Finding[] {
  const path = `streams/${entry}`;
  let bytes: Uint8Array;
  try {
    bytes = repository.objects.read(objectId);
  } catch (error) {
    return [{ kind: "stream-open-failed", path, detail: reasonOf(error) }];
  }
  try {
    const stream = readSplitStream(bytes, { algorithm: repository.algorithm });
    const objects = stream.objectRefs.filter((id) => !hasObject(id));
    const named = [...stream.namedRefs].filter(([, id]) => !hasObject(id));
    return [
      ...objects.map((id): Finding => ({ kind: "missing-object-ref", path, detail: id })),
      ...named.map(([name, id]): Finding => ({ kind: "missing-named-ref", path, detail: `ref ${name}: ${id}` })),
    ];
  } catch (error) {
    return [{ kind: "stream-read-failed", path, detail: reasonOf(error) }];
  }
}

/** A content id that ends in `sha256:<hex>` states the digest of the stream's content (spec/oci.md 1). */
function statedDigest({ entry }: LinkEntry): string | undefined {
  return /-sha256:([0-9a-f]{64})$/.exec(entry)?.[1];
}

async function checkStreamContent(
  repository: Repository,
  link: LinkEntry,
  verifier: ObjectVerifier | undefined,
): Promise<Finding[]> {
  const path = `streams/${link.entry}`;
  const hash = createHash("sha256");
  try {
    let sinceTurnBytes = 0;
    for await (const piece of streamContent(repository, link.objectId, verifier)) {
      hash.update(piece);
      sinceTurnBytes += piece.length;
      if (sinceTurnBytes < TURN_BYTES) continue;
      sinceTurnBytes = 0;
      await setImmediate();
    }
  } catch (error) {
    if (!(error instanceof SealrootError) && !hasErrno(error, "EIO")) throw error;
    return [{ kind: "stream-read-failed", path, detail: reasonOf(error) }];
  }
  const actual = hash.digest("hex");
  return actual === statedDigest(link)
    ? []
    : [{ kind: "stream-content-mismatch", path, detail: `content is sha256:${actual}` }];
}
