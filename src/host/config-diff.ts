/** What the administrator has changed in `/etc` (spec/host-lifecycle.md 7, `config-diff`). Writes nothing. */
import { join } from "node:path";
import { type EtcDiff, etcDiffOf, REPOSITORY_PATH } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import { openRepository } from "../repository/index.ts";
import { etcOfDeployment } from "./etc-trees.ts";
import type { HostPlaces } from "./host-places.ts";
import { readHost } from "./read-host.ts";

/**
 * Compares the live `/etc` with that of the image that runs.
 *
 * @param livePath `/etc`
 * @throws SealrootError `not-found` when nothing is booted, or its image is not in the repository; `corrupt`
 */
export async function configDiff(places: HostPlaces, livePath: string, events: EventSink): Promise<EtcDiff> {
  const { booted } = await readHost(places);
  const imageId = places.booted?.imageId;
  if (booted === undefined || imageId === undefined) {
    throw new SealrootError("not-found", "Cannot compare /etc: no deployment of this system is booted");
  }
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), { upgrade: "in-memory" });
  const pristine = await runStep(events, "read the image's /etc", () =>
    etcOfDeployment(repository, booted.origin.manifestDigest, imageId),
  );
  return await runStep(events, "compare /etc", async (reporter) => {
    const { diff } = await etcDiffOf(pristine, livePath, { algorithm: repository.algorithm, reporter });
    return diff;
  });
}
