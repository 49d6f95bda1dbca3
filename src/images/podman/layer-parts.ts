/**
 * A layer's tar stream, rebuilt from its files and what tar-split recorded of the rest (spec/chunked-and-policy.md
 * 1.5).
 */
import { closeSync, createReadStream } from "node:fs";
import { readTarSplit, type TarSplitEntry } from "../../chunked/index.ts";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import type { LayerBody, LayerPart } from "../../oci/index.ts";
import { decompress } from "../../zstd/index.ts";
import { damagedLayer, LayerBodies } from "./layer-bodies.ts";
import type { FoundLayer } from "./store.ts";

const READ_BYTES = 1 << 20;

/**
 * The parts of the stream. The store's layers are locked meanwhile, so podman cannot remove them.
 *
 * @param chain the layer, and those below it from the nearest to the lowest
 * @throws SealrootError `corrupt` for a file that is missing or has changed, `unsupported` without tar-split data
 */
export async function* layerParts(chain: readonly [FoundLayer, ...FoundLayer[]]): AsyncGenerator<LayerPart> {
  const [{ store, layer }] = chain;
  const unlock = await store.lock("layers");
  try {
    using bodies = await LayerBodies.open(chain);
    for await (const entry of readTarSplit(decompress(tarSplitBytes(chain[0]), "gzip"))) {
      if (entry.type === "bytes") yield entry;
      else if (entry.sizeBytes > 0) yield* openedBody(bodies, layer.id, entry);
    }
  } finally {
    unlock();
  }
}

function* openedBody(
  bodies: LayerBodies,
  layerId: string,
  file: Extract<TarSplitEntry, { type: "body" }>,
): Generator<LayerBody> {
  const { name, sizeBytes, checksum } = file;
  if (checksum === undefined) throw damagedLayer(layerId, name, "has no checksum");
  const fd = bodies.open(name, sizeBytes);
  const check = (actual: Uint8Array) => {
    if (Buffer.compare(actual, checksum) !== 0) throw damagedLayer(layerId, name, "has changed since it was pulled");
  };
  try {
    yield { type: "body", fd, sizeBytes, check };
  } finally {
    closeSync(fd);
  }
}

async function* tarSplitBytes({ store, layer }: FoundLayer): AsyncGenerator<Uint8Array> {
  const path = store.tarSplitPath(layer.id);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES })) yield piece;
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw asSealrootError(error, `Cannot rebuild layer ${layer.id}`, { path });
    const what = `Cannot rebuild layer ${layer.id}: the store has no tar-split data of it`;
    throw new SealrootError("unsupported", what, {
      path,
      hint: "copy the image out instead: skopeo copy containers-storage:IMAGE oci:DIRECTORY:TAG",
    });
  }
}
