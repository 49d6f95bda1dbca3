/**
 * An image that is not to be sealed gets an initramfs that makes its root: for hosts that boot from kernel and initramfs
 * as files (Type 1 entries), without keys.
 *
 * The initramfs is a file under /usr, inside the image that it will make the root of, so it cannot know which image that
 * is: it goes by the command line, and that is not signed.
 */
import { bootDigest, findUnsealedContents, initramfsPath, sealableArchitecture } from "../bootimage/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { EventSink } from "../events/index.ts";
import { runStep } from "../events/index.ts";
import { openImage } from "../images/index.ts";
import { pullImage } from "../imagestore/index.ts";
import { formatReference, type ImageReference, OciLayout, platformOf } from "../oci/index.ts";
import { ACCEPT_ANYTHING, type PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";
import type { TarMember } from "../tar/index.ts";
import { addedLayerMembers } from "./added-layer.ts";
import { checkState } from "./check-state.ts";
import { type GivenProgram, type InitramfsCarrier, makeInitramfs } from "./initramfs/index.ts";
import { type OutputLayout, outputName, refuseSameImage, writtenTo } from "./output.ts";
import { type StoredImage, type UnpackedImage, unpackImage } from "./unpack-image.ts";
import { imageTime, wasSealedLast, writeChangedImage } from "./write-image.ts";

export interface AddInitramfsOptions {
  readonly source: ImageReference;
  /** Decides whether the source may be used; the machine's policy if absent. */
  readonly policy?: PolicyChoice | undefined;
  /** How to talk to the registries of source and output. */
  readonly registry?: RegistryOptions | undefined;
  /** Any place that images are written to; an OCI layout is made when it does not exist. */
  readonly output: ImageReference;
  readonly initramfs: InitramfsCarrier;
  /** The QuickJS that runs the boot program, for an image that has none. */
  readonly interpreter?: GivenProgram | undefined;
  /** Time of what is new in the image, whole seconds; the source image's own time if absent. */
  readonly created?: Date | undefined;
  /** Where the image is unpacked meanwhile; the directory for large files if absent. */
  readonly temporaryParent?: string | undefined;
  readonly events: EventSink;
}

export interface AddInitramfsReport {
  readonly reference: string;
  readonly manifestDigest: string;
  /** The image id that the deployment will be named after. */
  readonly imageId: string;
  readonly kernelRelease: string;
  /** Where the initramfs is in the image. */
  readonly initramfsPath: string;
  readonly initramfsSizeBytes: number;
  /** SHA-256 hex of kernel and initramfs: hosts share these files among deployments with the same. */
  readonly bootDigest: string;
  readonly addedLayerSizeBytes: number;
}

interface Initramfs extends Pick<AddInitramfsReport, "kernelRelease" | "initramfsSizeBytes" | "bootDigest"> {
  readonly members: readonly TarMember[];
  readonly created: Date;
}

const ACTION = "add an initramfs to the image";
const CREATED_BY = "sealroot image add-initramfs";

/**
 * Adds the initramfs in one more layer, in place of the image's own if it has one.
 *
 * @throws SealrootError naming what the image lacks, or what could not be read or written; `conflict` for a sealed image
 */
export async function addInitramfs(options: AddInitramfsOptions): Promise<AddInitramfsReport> {
  refuseSameImage(options.source, options.output, { action: "change", form: "the image with its initramfs" });
  const report = await writtenTo(options.output, options, (layout) => addIntoLayout(layout, options));
  return { ...report, reference: outputName(options.output) };
}

async function addIntoLayout(
  output: OutputLayout,
  options: AddInitramfsOptions,
): Promise<Omit<AddInitramfsReport, "reference">> {
  const { policy, registry, source } = options;
  const opened = await openImage(source, { registry, ...(policy === undefined ? {} : { policy }) });
  try {
    if (wasSealedLast(opened.config)) {
      throw new SealrootError("conflict", `Cannot ${ACTION}: ${formatReference(source)} is sealed`, {
        hint: "use the image it was made from; a sealed one has its initramfs in the UKI",
      });
    }
    return await unpackImage(
      opened,
      options,
      (image) => make(image, options),
      (image, made) => write(image, made, output, options.events),
    );
  } finally {
    await opened.close();
  }
}

async function make(
  { source, root, files, budget }: UnpackedImage,
  { initramfs: carrier, interpreter, created = imageTime(source.config), events }: AddInitramfsOptions,
): Promise<Initramfs> {
  checkState(root);
  const architecture = sealableArchitecture(platformOf(source.config, source.manifest.config.digest).architecture);
  // Neither loader nor stub is touched: whether there is a loader is for the installation to say.
  const parts = findUnsealedContents(files, architecture, { loader: true, stub: true }, ACTION);
  return runStep(events, "make the initramfs", async () => {
    const initramfs = await makeInitramfs(carrier, files, parts, { sealedRoot: undefined, budget, interpreter });
    const kernel = await files.read(parts.kernelPath);
    const added = [{ path: initramfsPath(parts.kernelRelease), bytes: initramfs }];
    return {
      kernelRelease: parts.kernelRelease,
      initramfsSizeBytes: initramfs.length,
      bootDigest: bootDigest({ kernel, initramfs, deviceTree: undefined }),
      members: addedLayerMembers(root, { added, removed: [] }, BigInt(created.getTime() / 1000)),
      created,
    };
  });
}

async function write(
  { source, repository }: StoredImage,
  { members, created, ...facts }: Initramfs,
  output: OutputLayout,
  events: EventSink,
): Promise<Omit<AddInitramfsReport, "reference">> {
  const written = await runStep(events, "write the image", async () => {
    const layout = await OciLayout.create(output.path);
    return writeChangedImage(source, members, layout, output.tag, { createdBy: CREATED_BY, created });
  });
  // Read back: what was written is an image that can be staged.
  const { bootImageIds } = await pullImage(repository, formatReference(output), {
    bootable: true,
    policy: ACCEPT_ANYTHING,
    events,
  });
  const imageId = bootImageIds.get(1);
  if (imageId === undefined) throw new Error("unreachable: a repository of version 1 makes images of version 1");
  return {
    manifestDigest: written.manifest.digest,
    imageId,
    initramfsPath: initramfsPath(facts.kernelRelease),
    addedLayerSizeBytes: written.layer.descriptor.size,
    ...facts,
  };
}
