/** The one comparison everything rests on: the images that a UKI names are made from the layers that were pulled. */
import type { ComposefsArgument } from "../../bls/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { ErofsVersion } from "../../repository/index.ts";
import { type BootImage, describeBootImage, type RecordedBootImage } from "./boot-images.ts";
import { diffHint } from "./diff-hint.ts";

/**
 * Makes and stores the boot images that a command line names, by whatever rule they were made: every one must be an image of these
 * layers, in the version that the argument states (bootc 1.17, `reconcile_uki_candidates` in bootc_composefs/boot.rs).
 *
 * @param names from `findComposefsArguments`
 * @param candidates from `bootImages`; only as many are made as are needed
 * @param reference names the image in the hint of an error; undefined for one that is nowhere yet
 * @returns one image for each argument, in the same order; the same one twice if two name it
 * @throws SealrootError `conflict` in upstream's words (spec/host-install.md 8.10) when one is not among the
 *   candidates, or has another version
 */
export async function namedBootImages(
  names: readonly ComposefsArgument[],
  candidates: AsyncIterable<BootImage>,
  reference?: string,
): Promise<RecordedBootImage[]> {
  const found = new Map<string, RecordedBootImage>();
  const tried: RecordedBootImage[] = [];
  const isComplete = () => names.every(({ id }) => found.has(id));
  for await (const image of candidates) {
    // Without the tree that it is stored from.
    const { store, ...facts } = image;
    tried.push(facts);
    if (names.some(({ id }) => id === image.id) && !found.has(image.id)) found.set(image.id, store());
    if (isComplete()) break;
  }
  return names.map((name) => {
    const image = found.get(name.id);
    if (image === undefined) throw otherImage(name, tried, reference);
    if (!accepts(name, image.version)) throw otherVersion(name, image.version);
    return image;
  });
}

/** Whether an argument can mean an image of this version; the plain form does not say. */
function accepts({ formatVersion }: ComposefsArgument, version: ErofsVersion): boolean {
  if (formatVersion === undefined) return true;
  return formatVersion === 2 ? version === 2 : version !== 2;
}

/** Of the images that could have been meant, the likeliest is named; of the others, what would have made them. */
function otherImage(
  name: ComposefsArgument,
  tried: readonly RecordedBootImage[],
  reference: string | undefined,
): SealrootError {
  const again = "seal the unsealed image again";
  const likeliest = tried.find(({ version }) => accepts(name, version));
  const others = tried.filter((image) => image !== likeliest).map(describeBootImage);
  return new SealrootError(
    "conflict",
    `The UKI has the wrong composefs= parameter (is '${name.id}', should be '${likeliest?.id ?? ""}')`,
    {
      expected: likeliest?.id ?? "",
      actual: `${name.id}, which no other rule gives either (${others.join("; ")})`,
      hint:
        reference === undefined
          ? `the image was changed after it was sealed: ${again}`
          : `${diffHint(name.id, reference)}; then ${again}`,
    },
  );
}

function otherVersion({ id, formatVersion }: ComposefsArgument, version: ErofsVersion): SealrootError {
  return new SealrootError(
    "conflict",
    `The UKI has the wrong composefs.digest= parameter: ${id} is an image of version ${version}, not ${formatVersion}`,
    { expected: `version ${formatVersion}`, actual: `version ${version}`, hint: "build the UKI again" },
  );
}
