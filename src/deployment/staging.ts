/** Staging: an image is pulled, its deployment gets its id, and the parts of the deployment are read. */
import { findSealedUki, findType1Paths, hasUki, type Type1Paths } from "../bootimage/index.ts";
import { byteStringOfText } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../events/index.ts";
import type { OpenedImage } from "../images/index.ts";
import {
  type BootImage,
  describeBootImage,
  HOST_TAG_PREFIX,
  mergeLayers,
  namedBootImages,
  pullOpenedImage,
  type RecordedBootImage,
  readStoredImage,
  storedContents,
  storedLayers,
} from "../imagestore/index.ts";
import { type ImageConfig, platformOf } from "../oci/index.ts";
import type { Repository } from "../repository/index.ts";
import type { SelinuxPolicy } from "../selinux/index.ts";
import {
  type BootRule,
  composeBootTree,
  DEFAULT_BOOT_RULE,
  type DirectoryNode,
  readSelinuxPolicy,
  TreeFiles,
} from "../tree/index.ts";
import { type StateXattrs, stateXattrs } from "./state-xattrs.ts";

/** What deployments of both kinds have. The files are read from the repository, as long as that is open. */
interface StagedParts {
  /** The image id that the UKI names first; without a UKI, that of the boot image by today's rule in version 1. */
  readonly deploymentId: string;
  readonly manifestDigest: string;
  /** As the image's configuration says, such as `amd64`. */
  readonly architecture: string;
  /** The image's files as in its layers, including `/boot`. */
  readonly files: TreeFiles;
  /** What a mount of the boot image shows. */
  readonly tree: DirectoryNode;
  /** Additional attributes of the files of `/etc` and `/var`. */
  readonly stateXattrs: StateXattrs;
  readonly policy: SelinuxPolicy | undefined;
}

/** A deployment that boots from its UKI, which `findSealedUki` of its files gives. */
export interface SealedDeployment extends StagedParts {
  readonly bootType: "uki";
}

/** A deployment whose kernel and initramfs are files, started by a Type 1 entry that nobody signed. */
export interface Type1Deployment extends StagedParts {
  readonly bootType: "bls";
  readonly kernel: Type1Paths;
}

/** The parts of a deployment; `bootType` as its origin file will say. */
export type StagedDeployment = SealedDeployment | Type1Deployment;

const BOOT = byteStringOfText("boot");

/** The tag that keeps a host's image alive. */
export function hostTag(manifestDigest: string): string {
  return `${HOST_TAG_PREFIX}${manifestDigest}`;
}

/**
 * Pulls an image with the boot images that its UKI names, or without a UKI with the one of {@link plainBootImage}; bytes
 * are hashed on the way, once. Whether an image that is not sealed may become a deployment is for the caller to say.
 *
 * @param source the image's name in errors
 * @throws SealrootError as pullOpenedImage, findSealedUki and findType1Paths; `conflict` when the UKI names an image
 *   that is not made from these layers
 */
export async function stageDeployment(
  repository: Repository,
  image: OpenedImage & { readonly config: ImageConfig },
  source: string,
  events: EventSink,
): Promise<StagedDeployment> {
  const { digest: manifestDigest } = image.descriptor;
  const pulled = await pullOpenedImage(repository, image, hostTag(manifestDigest), {
    chooseBootImages: (root, candidates) => bootImagesOf(filesOf(repository, root), candidates, source),
    events,
  });
  const [bootImage] = pulled.chosenBootImages;
  if (bootImage === undefined) throw corrupt(`Cannot install ${source}: no bootable image was made of it`);
  const { layers, ...trees } = await runStep(events, "read the image's files", (reporter) => {
    for (const made of pulled.chosenBootImages) reportOldRule(made, reporter);
    return readTrees(repository, manifestDigest, bootImage);
  });
  const { architecture } = platformOf(image.config, image.manifest.config.digest);
  const files = filesOf(repository, layers);
  const parts: StagedParts = { deploymentId: bootImage.id, manifestDigest, architecture, files, ...trees };
  return hasUki(files) ? { ...parts, bootType: "uki" } : { ...parts, bootType: "bls", kernel: findType1Paths(files) };
}

function bootImagesOf(
  files: TreeFiles,
  candidates: AsyncIterable<BootImage>,
  source: string,
): Promise<readonly RecordedBootImage[]> {
  if (hasUki(files)) {
    return namedBootImages(findSealedUki(files).composefsArguments, candidates, source);
  }
  // Refused before an image is made.
  findType1Paths(files);
  return plainBootImage(candidates);
}

/**
 * The boot image of a deployment without UKI, of which nobody has said which one it is: made by today's rule, in version
 * 1, since `composefs.digest=` names no other (spec/upstream-1.17.md 1 and 2b).
 */
async function plainBootImage(candidates: AsyncIterable<BootImage>): Promise<readonly RecordedBootImage[]> {
  for await (const image of candidates) {
    const isToday =
      image.keepUserXattrs === DEFAULT_BOOT_RULE.keepUserXattrs && image.bootTimes === DEFAULT_BOOT_RULE.bootTimes;
    if (isToday && image.version !== 2) return [image.store()];
  }
  throw new Error("unreachable: version 1 is always among the candidates");
}

/** Says by which rule a UKI's image was made, if not by the current one. */
function reportOldRule(image: RecordedBootImage, reporter: StepReporter): void {
  const { keepUserXattrs, bootTimes } = DEFAULT_BOOT_RULE;
  if (image.keepUserXattrs === keepUserXattrs && image.bootTimes === bootTimes) return;
  reporter.info(`The image ${image.id} of the UKI was made by a rule of its own: ${describeBootImage(image)}`);
}

function filesOf(repository: Repository, root: DirectoryNode): TreeFiles {
  return new TreeFiles(root, (objectId) => repository.objects.read(objectId));
}

interface ImageTrees extends Pick<StagedDeployment, "tree" | "stateXattrs" | "policy"> {
  /** As in the layers. */
  readonly layers: DirectoryNode;
}

/**
 * Merges the layers once: the two trees share all nodes except the root and `/boot`, which the boot variant empties.
 */
async function readTrees(repository: Repository, manifestDigest: string, rule: BootRule): Promise<ImageTrees> {
  const stored = await readStoredImage(repository, manifestDigest);
  if (stored === undefined) throw corrupt(`Cannot read image ${manifestDigest}: it is not in the repository`);
  const tree = await mergeLayers(repository, storedLayers(stored));
  const layers: DirectoryNode = { ...tree, entries: new Map(tree.entries) };
  const boot = layers.entries.get(BOOT);
  if (boot?.kind === "directory") layers.entries.set(BOOT, { ...boot, entries: new Map(boot.entries) });
  const xattrs = stateXattrs(tree);
  const readContent = storedContents(repository);
  composeBootTree(tree, readContent, rule);
  const policy = readSelinuxPolicy(tree, readContent);
  return { layers, tree, stateXattrs: xattrs, policy };
}
