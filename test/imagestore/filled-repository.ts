/** A repository that is not empty: into one without any layer, none is pulled in parts. */

import { CONTENT_TYPE, layerStreamName } from "../../src/imagestore/stream-names.ts";
import { digestOf } from "../../src/oci/index.ts";
import { initRepository, type Repository } from "../../src/repository/index.ts";
import { SplitStreamWriter } from "../../src/splitstream/index.ts";

/** What an artifact's blob could be: it has the name of a layer, and no files. */
const BLOB = Buffer.from("a blob of an artifact\n");
const LAYER = layerStreamName(digestOf(BLOB));

/** Makes an insecure or staged SHA-256 repository with one layer, which has no files. */
export async function filledRepository(
  path: string,
  protection: "insecure" | "offline" = "insecure",
): Promise<Repository> {
  const { repository } = await initRepository(path, { algorithm: "sha256", protection });
  await addLayer(repository);
  return repository;
}

/** Adds the layer again, after gc. */
export async function addLayer(repository: Repository): Promise<void> {
  const stream = new SplitStreamWriter("sha256", CONTENT_TYPE.blob);
  stream.external(repository.objects.ensure(BLOB), BLOB.length);
  repository.streams.register([{ entry: LAYER, objectId: repository.objects.ensure(await stream.finish()) }]);
}

/** Names of the streams that came later. */
export function addedStreams(repository: Repository): string[] {
  return repository.streams.entries().flatMap(({ entry }) => (entry === LAYER ? [] : [entry]));
}
