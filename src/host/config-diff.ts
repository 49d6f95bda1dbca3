/** What the administrator has changed in `/etc` (spec/host-lifecycle.md 7, `config-diff`). Writes nothing. */
import { join } from "node:path";
import { type EtcDiff, etcDiffOf, etcOfImage, REPOSITORY_PATH, stateXattrs } from "../deployment/index.ts";
import { corrupt, SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import { mergeLayers, readStoredImage, storedLayers } from "../imagestore/index.ts";
import { openRepository, type Repository, readStoredTree } from "../repository/index.ts";
import type { DirectoryNode } from "../tree/index.ts";
import type { HostDeployment } from "./host.ts";
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
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), { upgrade: false });
  const pristine = await runStep(events, "read the image's /etc", () => pristineEtc(repository, booted, imageId));
  return runStep(events, "compare /etc", async (reporter) => {
    const { diff } = await etcDiffOf(pristine, livePath, { algorithm: repository.algorithm, reporter });
    return diff;
  });
}

/** The mounted image has the labels; what was copied out of the layers at installation has more attributes than it shows. */
async function pristineEtc(
  repository: Repository,
  { origin }: HostDeployment,
  imageId: string,
): Promise<DirectoryNode> {
  const { manifestDigest } = origin;
  if (manifestDigest === undefined) throw corrupt("Cannot compare /etc: the origin file names no manifest");
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) {
    const what = `Cannot compare /etc: image ${manifestDigest} is not in the repository`;
    throw new SealrootError("not-found", what, { path: repository.path });
  }
  const layers = await mergeLayers(repository, storedLayers(stored));
  const { root } = readStoredTree(repository, repository.images.resolve(imageId));
  return etcOfImage(root, stateXattrs(layers));
}
