/** Staging: an image is pulled, its deployment gets its id, and the parts of the deployment are read. */
import { findSealedUki } from "../bootimage/index.ts";
import { byteStringOfText } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../events/index.ts";
import type { OpenedImage } from "../images/index.ts";
import {
  describeBootImage,
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

/** The parts of a deployment. The files are read from the repository, as long as that is open. */
export interface StagedDeployment {
  /** The image id that the UKI names first. */
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

const BOOT = byteStringOfText("boot");
/** Tags with this prefix keep host images alive (spec/host.md 1.10). */
const HOST_TAG_PREFIX = "localhost/bootc-";

/**
 * Pulls an image with the boot images that its UKI names; bytes are hashed on the way, once.
 *
 * @param source the image's name in errors
 * @throws SealrootError as pullOpenedImage and findSealedUki; `conflict` when the UKI names an image that is not made
 *   from these layers
 */
export async function stageDeployment(
  repository: Repository,
  image: OpenedImage & { readonly config: ImageConfig },
  source: string,
  events: EventSink,
): Promise<StagedDeployment> {
  const { digest: manifestDigest } = image.descriptor;
  const pulled = await pullOpenedImage(repository, image, `${HOST_TAG_PREFIX}${manifestDigest}`, {
    chooseBootImages: (root, candidates) =>
      namedBootImages(findSealedUki(filesOf(repository, root)).composefsArguments, candidates),
    events,
  });
  const [bootImage] = pulled.chosenBootImages;
  if (bootImage === undefined) throw corrupt(`Cannot install ${source}: no bootable image was made of it`);
  const { layers, ...trees } = await runStep(events, "read the image's files", (reporter) => {
    for (const made of pulled.chosenBootImages) reportOldRule(made, reporter);
    return readTrees(repository, manifestDigest, bootImage);
  });
  const { architecture } = platformOf(image.config, image.manifest.config.digest);
  return { deploymentId: bootImage.id, manifestDigest, architecture, files: filesOf(repository, layers), ...trees };
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
