/** The plan that needs none of the layers: manifest, configuration, and tables of contents where layers have them. */

import { join } from "node:path";
import { chooseAddons, findUkis, listAddons } from "../../bootimage/index.ts";
import { addonPath, espSpace } from "../../bootloader/index.ts";
import { etcOfImage, type Origin, REPOSITORY_PATH, stateXattrs } from "../../deployment/index.ts";
import { runStep, type StepReporter } from "../../events/index.ts";
import { changedOnEsp, checkRollbackIndex, type Host, type HostPlaces, requireEsp } from "../../host/index.ts";
import { type AnnouncedPull, announcePull, readAnnounced } from "../../imagestore/index.ts";
import { changesOfPackages, readPackageLists } from "../../packages/index.ts";
import { openRepository, type Repository } from "../../repository/index.ts";
import { type DirectoryNode, type FileContent, TreeFiles, treeChanges } from "../../tree/index.ts";
import type { OpenedUpdate } from "../open-update.ts";
import { rootSpace } from "../root-space.ts";
import { bootedOf } from "../stage-update.ts";
import { lackingText, wantedAddons } from "../update-addons.ts";
import { announcedRoom } from "./announced-room.ts";
import { orUnknown, readCurrentImage } from "./current-image.ts";
import { layersBytes, type PlanOptions, plannedImages, planOfPresent } from "./plan-update.ts";
import { type EtcAnswer, planEtc, stateRoom } from "./planned-etc.ts";
import {
  isKnown,
  type Known,
  type PlannedEsp,
  type PlannedFetch,
  type PlannedFile,
  type UpdatePlan,
} from "./update-plan.ts";

const AFTER_FETCH = "known once the image is fetched: --download-only --plan";

/**
 * Plans an update without fetching it; writes nothing. Where a layer has no table of contents, its files are unknown, and
 * with them what they make of the whole.
 *
 * @throws SealrootError as checkRollbackIndex and announcePull; `not-found` when nothing is booted
 */
export async function planFromRegistry(
  places: HostPlaces,
  host: Host,
  update: OpenedUpdate,
  options: PlanOptions,
): Promise<UpdatePlan> {
  if (update.standing !== "new") return planOfPresent(places, host, update, "registry");
  const { events } = options;
  const { image, target, standing } = update;
  checkRollbackIndex(places, image.config.config?.Labels, { force: options.allowDowngrade ?? false });
  using repository = await openRepository(join(places.physicalRoot, REPOSITORY_PATH), { upgrade: "in-memory" });
  const { freeBytes, neededBytes: requiredBytes, blockBytes } = rootSpace(places.physicalRoot, image, repository);
  const pull = await runStep(events, "read the tables of contents", (reporter) =>
    announcePull(repository, image, reporter),
  );
  const parts = await partsOf({ repository, places, host, update, pull, blockBytes }, options);
  return {
    ...plannedImages(host, update),
    ...{ basis: "registry", standing, image: target.imageReference },
    fetch: plannedFetch(update, pull),
    root: { freeBytes, requiredBytes, objects: parts.objects, state: parts.state },
    ...{ esp: parts.esp, packages: parts.packages, files: parts.files, etc: parts.etc },
    boot: { unknown: AFTER_FETCH },
    garbage: { unknown: AFTER_FETCH },
  };
}

function plannedFetch(update: OpenedUpdate, { layers, isExact }: AnnouncedPull): PlannedFetch {
  return {
    bytes: layers.reduce((sum, { fetchBytes }) => sum + fetchBytes, 0),
    certainty: isExact ? "exact" : "at-most",
    layersBytes: layersBytes(update),
    layers: layers.map(({ digest, sizeBytes, source, fetchBytes, reason }) => ({
      ...{ digest, sizeBytes, source, fetchBytes },
      ...(reason === undefined ? {} : { reason }),
    })),
  };
}

interface Question {
  readonly repository: Repository;
  readonly places: HostPlaces;
  readonly host: Host;
  readonly update: OpenedUpdate;
  readonly pull: AnnouncedPull;
  readonly blockBytes: number;
}

type Parts = Pick<UpdatePlan, "esp" | "packages" | "files" | "etc"> & Pick<UpdatePlan["root"], "objects" | "state">;

async function partsOf(question: Question, options: PlanOptions): Promise<Parts> {
  const { pull, host, repository, update, blockBytes } = question;
  const { tree } = pull;
  if (tree === undefined) {
    const opaque = { unknown: opaqueLayers(pull) };
    return { esp: opaque, packages: opaque, files: opaque, etc: opaque, objects: opaque, state: opaque };
  }
  const { events } = options;
  const booted = bootedOf(host);
  const current = await runStep(events, "read the image that runs", () =>
    orUnknown(() => readCurrentImage(repository, booted)),
  );
  const files = new TreeFiles(tree, (objectId) => repository.objects.read(objectId));
  const etc = await runStep(events, "compare /etc", (reporter) =>
    orUnknown(() => {
      const next = etcOfImage(tree, stateXattrs(tree));
      const { places } = question;
      return planEtc(repository, { places, booted, etcPath: options.etcPath, next, policy: options.etc, reporter });
    }),
  );
  return {
    esp: await runStep(events, "look for add-ons", (reporter) =>
      orUnknown(() => plannedEsp(question, files, options, reporter)),
    ),
    packages: isKnown(current)
      ? await runStep(events, "read the databases of packages", async () =>
          changesOfPackages(
            current.packages,
            await readPackageLists(files, (content) => readAnnounced(repository, pull, content)),
          ),
        )
      : current,
    files: isKnown(current) ? treeChanges(current.tree, tree) : current,
    etc: isKnown(etc) ? etc.etc : etc,
    // Last, as it takes the most memory.
    objects: await orUnknown(() => announcedRoom(repository, update.image, pull, tree, blockBytes)),
    state: isKnown(etc) ? plannedState(question, tree, etc) : etc,
  };
}

function opaqueLayers({ layers }: AnnouncedPull): string {
  const opaque = layers.filter(({ source }) => source === "whole" || source === "local");
  const count = opaque.length === 1 ? "a layer is" : `${opaque.length} layers are`;
  return `${count} without a table of contents that could be used; ${AFTER_FETCH}`;
}

/** An origin file is as long whatever the digests in it. */
function plannedState({ update, host, blockBytes }: Question, tree: DirectoryNode, { merged }: EtcAnswer) {
  const origin: Origin = {
    bootType: bootedOf(host).origin.bootType,
    imageReference: update.target.imageReference,
    bootDigest: "0".repeat(64),
    manifestDigest: update.manifestDigest,
    pinned: false,
  };
  return stateRoom(etcOfImage(tree, stateXattrs(tree)), merged, origin, blockBytes);
}

async function plannedEsp(
  { places, host, repository, pull }: Question,
  files: TreeFiles,
  { addons: given }: PlanOptions,
  { warn }: StepReporter,
): Promise<Known<PlannedEsp>> {
  const esp = requireEsp(places, "plan the boot files");
  const [ukiPath] = findUkis(files);
  const uki = ukiPath === undefined ? undefined : contentOf(files, ukiPath);
  if (ukiPath === undefined || uki === undefined) return { unknown: AFTER_FETCH };
  const available = listAddons(files, ukiPath);
  const wanted = wantedAddons(esp, host, available, given);
  const bootFiles: PlannedFile[] = [{ path: undefined, bytes: sizeOf(uki) }];
  for (const addon of chooseAddons(files, available, wanted.names)) {
    const content = contentOf(files, addon.path);
    if (content === undefined) throw new Error("unreachable: it is a file");
    if (addon.scope === "scoped") bootFiles.push({ path: undefined, bytes: sizeOf(content) });
    else {
      // Only one that differs is written, and add-ons are small.
      const file = { path: addonPath(addon, ""), bytes: await readAnnounced(repository, pull, content) };
      for (const { path, bytes } of changedOnEsp(esp, [file])) bootFiles.push({ path, bytes: bytes.length });
    }
  }
  for (const addon of wanted.lacking) warn(lackingText(addon));
  const sizes = bootFiles.map(({ bytes }) => bytes);
  return { ...espSpace(esp, sizes), bootFiles, entries: undefined };
}

function contentOf(files: TreeFiles, path: string): FileContent | undefined {
  const node = files.resolve(path)?.node;
  return node?.kind === "file" ? node.content : undefined;
}

function sizeOf(content: FileContent): number {
  return content.type === "inline" ? content.bytes.length : content.sizeBytes;
}
