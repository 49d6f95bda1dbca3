/** The root file system's tree, rebuilt from the layers in the repository (spec/oci.md 4). */
import { corrupt } from "../errors/index.ts";
import type { Repository } from "../repository/index.ts";
import { readChunks, readSplitStream } from "../splitstream/index.ts";
import { TarParser } from "../tar/index.ts";
import { applyLayerEntry, type DirectoryNode, newDirectory } from "../tree/index.ts";
import { layerEntry } from "./layer-entries.ts";
import { CONTENT_TYPE } from "./stream-names.ts";

/** A body that another writer left in the stream is read up to here; larger ones are refused. */
const INLINE_READ_MAX_BYTES = 1 << 20;

/**
 * Merges the layers of an image, lowest first. No transform is applied yet.
 *
 * @param layerIds object ids of the layers' split streams, one for each diff id, in order
 * @throws SealrootError `corrupt` for a layer that does not fit on those below it
 */
export async function mergeLayers(repository: Repository, layerIds: readonly string[]): Promise<DirectoryNode> {
  const root = newDirectory();
  for (const layerId of layerIds) await applyLayer(repository, layerId, root);
  return root;
}

async function applyLayer(repository: Repository, layerId: string, root: DirectoryNode): Promise<void> {
  const stream = readSplitStream(repository.objects.read(layerId), {
    algorithm: repository.algorithm,
    contentType: CONTENT_TYPE.layer,
  });
  const parser = new TarParser(
    {
      inline: () => {},
      entry: (entry, body) => applyLayerEntry(root, layerEntry(entry, body)),
      body: () => {},
    },
    INLINE_READ_MAX_BYTES,
  );
  await readChunks(stream, {
    inline: (bytes) => parser.push(bytes),
    external: (objectId) => parser.pushExternal(objectId),
  });
  parser.finish();
  if (parser.streamBytes !== stream.sizeBytes) {
    throw corrupt(
      `Cannot read layer ${layerId}: it has ${parser.streamBytes} bytes, its header says ${stream.sizeBytes}`,
    );
  }
}
