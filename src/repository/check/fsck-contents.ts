/** The part of a check that reads all data: objects, and the content of streams. */

import { type EventSink, runStep, silent } from "../../events/index.ts";
import { ObjectVerifier } from "../../objects/index.ts";
import type { LinkEntry } from "../link-store.ts";
import type { Repository } from "../repository.ts";
import { checkObjectContents } from "./fsck-objects.ts";
import type { Finding } from "./fsck-report.ts";
import { checkStreamContents, checkStreams } from "./fsck-streams.ts";

interface ContentOptions {
  /** Only headers and references of streams. */
  readonly metadataOnly?: boolean;
  /** Only the objects that streams are reassembled from. */
  readonly withoutObjects?: boolean;
  /** Only headers and references of streams, but all objects. */
  readonly withoutStreamContents?: boolean;
  readonly events?: EventSink;
}

interface ContentFindings {
  readonly objects: readonly Finding[];
  readonly streams: readonly Finding[];
}

/**
 * Checks the streams that the entries lead to, and the objects. An object that streams need is read once for both; then
 * come the others, and those not found good on the way: only a separate check says what is wrong with them.
 */
export async function checkContents(
  repository: Repository,
  streamEntries: readonly LinkEntry[],
  objectIds: ReadonlySet<string>,
  { metadataOnly = false, withoutObjects = false, withoutStreamContents = false, events = silent }: ContentOptions,
): Promise<ContentFindings> {
  const verifier =
    metadataOnly || withoutObjects ? undefined : new ObjectVerifier(repository.objects.settings, repository.workers);
  const streams = await runStep(events, "check streams", async (reporter) => {
    const { findings, readable } = checkStreams(repository, streamEntries, (objectId) => objectIds.has(objectId));
    if (metadataOnly || withoutStreamContents) return findings;
    return [...findings, ...(await checkStreamContents(repository, readable, verifier, reporter))];
  });
  if (verifier === undefined) return { objects: [], streams };
  const objects = await runStep(events, "check objects", async (reporter) => {
    const good = await verifier.finish();
    let done = good.size;
    const others = [...objectIds].filter((objectId) => !good.has(objectId));
    return checkObjectContents(repository, others, (checked) => {
      done += checked;
      reporter.progress(done, objectIds.size, "items");
    });
  });
  return { objects, streams };
}
