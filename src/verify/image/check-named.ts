/** Whether the images that a UKI names are made from the layers beside it, and by which rule. */
import type { ComposefsArgument } from "../../bls/index.ts";
import { runStep } from "../../events/index.ts";
import { bootImages, describeBootImage, diffHint, type RecordedBootImage } from "../../imagestore/index.ts";
import type { VerifyOptions } from "../policy/options.ts";
import type { ChainDraft } from "../report/link.ts";
import type { LayeredImage } from "./read-layers.ts";

/** Nothing of the images is written. */
export async function checkNamedImages(
  chain: ChainDraft,
  names: readonly ComposefsArgument[],
  { repository, config }: LayeredImage,
  given: string,
  { events, materials }: VerifyOptions,
): Promise<void> {
  if (names.length === 0) return;
  const tried: RecordedBootImage[] = [];
  const isMissing = ({ id }: ComposefsArgument) => !tried.some((image) => image.id === id);
  const drafts = names.map((name) => ({ name, draft: chain.link("image", name.id) }));
  try {
    await runStep(events, "make the images", async () => {
      for await (const { store: _, ...image } of bootImages(repository, config)) {
        tried.push(image);
        if (!names.some(isMissing)) break;
      }
    });
  } catch (error) {
    for (const { draft } of drafts) draft.failed(error);
    return;
  }
  for (const { name, draft } of drafts) {
    draft.checkedBy("the layers of the image");
    if (name.algorithm !== repository.algorithm) {
      draft.find(
        "unchecked",
        `the repository has digests of ${repository.algorithm}, the UKI names one of ${name.algorithm}`,
      );
      continue;
    }
    const made = tried.find(({ id }) => id === name.id);
    materials?.images.push({ ...name, rule: made && `made by the rule: ${describeBootImage(made)}` });
    if (made === undefined) {
      const likeliest = tried.find(({ version }) => (version === 2) === (name.formatVersion === 2)) ?? tried[0];
      draft.broken("the layers give another image: it was changed after it was sealed", {
        path: given,
        expected: name.id,
        found: `${likeliest?.id ?? "none"}, and others by ${tried.length - 1} other rules`,
        remedy: `${diffHint(name.id, given)}; then seal the unsealed image again`,
      });
      continue;
    }
    draft.fact(`made by the rule: ${describeBootImage(made)}`);
    if (name.formatVersion === undefined || (name.formatVersion === 2) === (made.version === 2)) continue;
    draft.broken(`it is an image of version ${made.version}, the command line says ${name.formatVersion}`, {
      ...{ expected: `version ${name.formatVersion}`, found: `version ${made.version}`, remedy: "build the UKI again" },
    });
  }
}
