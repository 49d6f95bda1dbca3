/** The image of a store that a reference means: by name, id, beginning of an id, or digest. */
import { SealrootError } from "../../errors/index.ts";
import { formatReference, fullImageName, isDigest, repositoryOfName, type StorageReference } from "../../oci/index.ts";
import type { Store } from "./store.ts";
import type { StoreImage } from "./store-documents.ts";

export interface FoundImage {
  readonly store: Store;
  readonly image: StoreImage;
  /** The full name it was found by; all its names if it was found by its id. */
  readonly names: readonly string[];
}

const ID = /^[0-9a-f]{64}$/;
/** podman shows twelve digits of an id; c/storage accepts three or more. */
const ID_BEGINNING = /^[0-9a-f]{3,64}$/;

/**
 * Of several stores the first that has the image counts. A short name is looked up as Docker's and as podman's own
 * (`localhost/NAME`); nothing is fetched, so this is safe.
 *
 * @throws SealrootError `not-found`, `usage` when it may mean several images
 */
export async function findStoreImage(stores: readonly Store[], reference: StorageReference): Promise<FoundImage> {
  const rules = matchRules(reference.image.replace(/^sha256:(?=[0-9a-f]{64}$)/, ""));
  const lists = await Promise.all(stores.map(async (store) => ({ store, images: await store.images() })));
  for (const matches of rules) {
    for (const { store, images } of lists) {
      const [image, ...others] = images.filter((candidate) => matches(candidate) !== undefined);
      if (image === undefined) continue;
      if (others.length === 0) return { store, image, names: matches(image) ?? [] };
      throw new SealrootError("usage", `Cannot open image ${formatReference(reference)}: it may be one of several`, {
        path: store.root,
        hint: `write more of the id: ${[image, ...others].map(({ id }) => id).join(", ")}`,
      });
    }
  }
  const names = lists.flatMap(({ images }) => images.flatMap((image) => image.names ?? []));
  throw new SealrootError(
    "not-found",
    `Cannot open image ${formatReference(reference)}: there is none with that name`,
    {
      ...(stores[0] !== undefined && { path: stores[0].root }),
      hint: `the names there are: ${names.slice(0, 20).join(", ") || "(none)"}`,
    },
  );
}

/** The names by which an image is meant; undefined if it is not. */
type Rule = (image: StoreImage) => readonly string[] | undefined;

/** The most likely meaning first. */
function matchRules(text: string): readonly Rule[] {
  const at = text.lastIndexOf("@");
  const behind = text.slice(at + 1);
  if (at !== -1 && isDigest(behind)) return [byDigest(text.slice(0, at), behind)];
  if (at !== -1) {
    const name = text.slice(0, at);
    return [(image) => (hasIdBeginning(image, behind) ? namesOf(image, name === "" ? undefined : name) : undefined)];
  }
  const byIdBeginning: Rule = (image) => (hasIdBeginning(image, text) ? fullNames(image) : undefined);
  if (ID.test(text)) return [byIdBeginning];
  const byName =
    (name: string): Rule =>
    (image) =>
      namesOf(image, name);
  const hasHost = !fullImageName(text).startsWith("docker.io/");
  return [byName(text), ...(hasHost ? [] : [byName(`localhost/${text}`)]), byIdBeginning];
}

function hasIdBeginning(image: StoreImage, text: string): boolean {
  return ID_BEGINNING.test(text) && image.id.startsWith(text);
}

function fullNames(image: StoreImage): readonly string[] {
  return (image.names ?? []).map(fullImageName);
}

/** The name if it is one of the image's, all names if none is requested. */
function namesOf(image: StoreImage, name: string | undefined): readonly string[] | undefined {
  if (name === undefined) return fullNames(image);
  const names = fullNames(image).filter((own) => own === fullImageName(name));
  return names.length > 0 ? names : undefined;
}

/** A digest may be that of the image's manifest or of the index it was chosen from; both are kept. */
function byDigest(name: string, digest: string): Rule {
  const repository = repositoryOfName(fullImageName(name));
  return (image) => {
    const isDigest = image.digest === digest || image["big-data-names"]?.includes(`manifest-${digest}`) === true;
    const names = fullNames(image).filter((own) => repositoryOfName(own) === repository);
    return isDigest && names.length > 0 ? names : undefined;
  };
}
