/** Which of an image's layers an error comes from. */
import { SealrootError } from "../errors/index.ts";
import type { ImageConfig } from "./documents.ts";

/** A layer among those of its image, in terms a person can find. */
export interface LayerPlace {
  /** From 1, the lowest. */
  readonly number: number;
  readonly count: number;
  /** Of the blob if it is known; else the diff id. */
  readonly digest: string;
  /** The command of the image's history that made it. */
  readonly createdBy: string | undefined;
}

/** Longest part of a command that is shown. */
const COMMAND_MAX_CHARACTERS = 120;

/**
 * The places of an image's layers, from the lowest.
 *
 * @param digests those of the blobs, or the diff ids if only the configuration is available
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
 * Adds the layer to an error that came from it; errors of other kinds stay unchanged.
 * @returns the error to throw, with the same code and data
 */
export function inLayer({ number, count, digest, createdBy }: LayerPlace, error: unknown): unknown {
  if (!(error instanceof SealrootError)) return error;
  const by = createdBy === undefined || createdBy === "" ? "" : `, made by ${JSON.stringify(cut(createdBy))}`;
  const what = `Cannot read layer ${number} of ${count} (${digest}${by}): ${error.message}`;
  return new SealrootError(error.code, what, error.data, error);
}

/** The pieces of a layer; errors say which layer it is. */
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
