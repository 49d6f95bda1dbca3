/** Which of an image's layers an error comes out of. */
import { SealrootError } from "../errors/index.ts";
import type { ImageConfig } from "./documents.ts";

/** A layer among those of its image, as people can find it. */
export interface LayerPlace {
  /** From 1, the lowest. */
  readonly number: number;
  readonly count: number;
  /** Of the blob where it is known; else the diff id. */
  readonly digest: string;
  /** The command of the image's history that made it. */
  readonly createdBy: string | undefined;
}

/** The most of a command that is shown. */
const COMMAND_MAX_CHARACTERS = 120;

/**
 * The places of an image's layers, from the lowest.
 *
 * @param digests those of the blobs, or the diff ids where only the configuration is at hand
 * @param config undefined for an artifact
 */
export function layerPlaces(digests: readonly string[], config: ImageConfig | undefined): LayerPlace[] {
  const made = (config?.history ?? []).filter(({ empty_layer }) => empty_layer !== true);
  const fits = made.length === digests.length;
  return digests.map((digest, index) => ({
    number: index + 1,
    count: digests.length,
    digest,
    createdBy: fits ? made[index]?.created_by : undefined,
  }));
}

/**
 * Puts the layer in front of an error that came out of it; errors of other kinds stay as they are.
 * @returns what is to be thrown; code and data are the error's own
 */
export function inLayer({ number, count, digest, createdBy }: LayerPlace, error: unknown): unknown {
  if (!(error instanceof SealrootError)) return error;
  const by = createdBy === undefined || createdBy === "" ? "" : `, made by ${JSON.stringify(cut(createdBy))}`;
  const what = `Cannot read layer ${number} of ${count} (${digest}${by}): ${error.message}`;
  return new SealrootError(error.code, what, error.data, error);
}

/** The pieces of a layer, whose errors say which layer it is. */
export async function* fromLayer<Piece>(place: LayerPlace, pieces: AsyncIterable<Piece>): AsyncGenerator<Piece> {
  try {
    yield* pieces;
  } catch (error) {
    throw inLayer(place, error);
  }
}

function cut(command: string): string {
  return command.length <= COMMAND_MAX_CHARACTERS ? command : `${command.slice(0, COMMAND_MAX_CHARACTERS)}…`;
}
