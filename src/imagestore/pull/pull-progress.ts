/** How far a pull is: one sum over all layers to be fetched, known before the first byte, and each layer's share. */
import type { StepReporter, Subtask } from "../../events/index.ts";
import type { Layer } from "../layer/layer.ts";
import type { LayerPlan } from "./layer-plan.ts";

/** Enough digits of a digest to tell layers apart at a glance. */
const SHORT_DIGEST_LENGTH = 12;

/** Reports for the step that fetches the layers. Bytes are those of the blobs. */
export class PullProgress {
  readonly #reporter: StepReporter;
  readonly #totalBytes: number;
  readonly #doneBytes = new Map<Layer, number>();
  #sumBytes = 0;

  /** Reports the layers that are already there. */
  constructor({ layers, present }: LayerPlan, reporter: StepReporter) {
    this.#reporter = reporter;
    const missing = layers.filter(({ diffId }) => !present.has(diffId));
    this.#totalBytes = missing.reduce((sum, { blob }) => sum + blob.size, 0);
    for (const layer of layers) {
      if (present.has(layer.diffId)) reporter.subtask(subtaskOf(layer, "present", layer.blob.size));
    }
    reporter.progress(0, this.#totalBytes, "bytes");
  }

  /** @param doneBytes of the layer's blob, from its beginning */
  running(layer: Layer, doneBytes: number): void {
    this.#sumBytes += doneBytes - (this.#doneBytes.get(layer) ?? 0);
    this.#doneBytes.set(layer, doneBytes);
    this.#reporter.subtask(subtaskOf(layer, "running", doneBytes));
    this.#reporter.progress(this.#sumBytes, this.#totalBytes, "bytes");
  }

  finished(layer: Layer): void {
    this.#reporter.subtask(subtaskOf(layer, "finished", layer.blob.size));
  }
}

function subtaskOf({ blob }: Layer, state: Subtask["state"], done: number): Subtask {
  const hex = blob.digest.slice(blob.digest.indexOf(":") + 1);
  const name = `layer ${hex.slice(0, SHORT_DIGEST_LENGTH)}`;
  return { id: blob.digest, name, state, done, total: blob.size, unit: "bytes" };
}
