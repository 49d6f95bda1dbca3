/** What an update would bring: its image is opened, by the policy, and compared with what the host has. */

import { join } from "node:path";
import { REPOSITORY_PATH } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep } from "../events/index.ts";
import type { Host, HostDeployment, HostPlaces } from "../host/index.ts";
import { type OpenedImage, type OpenImageOptions, openDelta, openImage } from "../images/index.ts";
import { DeltaLayers, storedConfigBytes } from "../imagestore/index.ts";
import { type ImageConfig, parseReference } from "../oci/index.ts";
import type { PolicyChoice } from "../policy/index.ts";
import type { RegistryOptions } from "../registry/index.ts";
import { openRepository } from "../repository/index.ts";
import type { UpdateTarget } from "./update-target.ts";

/** Which deployment of the host is the image already, if any. */
export type Standing = "new" | "booted" | "staged" | "rollback" | "other";

export interface OpenedUpdate extends AsyncDisposable {
  readonly target: UpdateTarget;
  readonly image: OpenedImage & { readonly config: ImageConfig };
  readonly manifestDigest: string;
  readonly standing: Standing;
}

export interface OpenUpdateOptions {
  readonly registry?: RegistryOptions | undefined;
  readonly policy: PolicyChoice;
  readonly events: EventSink;
}

/**
 * Opens the image of an update: its manifest is asked for, and what the host has already is not asked for again. An image
 * from elsewhere must satisfy the policy of the one that the host follows. Writes nothing.
 *
 * @throws SealrootError as openImage; `unsupported` for an artifact
 */
export async function openUpdate(
  places: HostPlaces,
  host: Host,
  target: UpdateTarget,
  { registry, policy, events }: OpenUpdateOptions,
): Promise<OpenedUpdate> {
  const identity = parseReference(target.imageReference);
  const image = await runStep(events, "read the image", () =>
    target.delta === undefined
      ? openImage(parseReference(target.source), {
          ...{ registry, policy, identity },
          configAtHand: (digest) => configOfHost(places, digest),
        })
      : imageOfDelta(places, target.delta, { registry, policy, identity }),
  );
  const { config } = image;
  if (config === undefined) {
    await image.close();
    const what = `Cannot use ${target.source}: it is an artifact, not an image`;
    throw new SealrootError("unsupported", what, { path: target.source });
  }
  const { digest } = image.descriptor;
  return {
    target,
    image: { ...image, config },
    manifestDigest: digest,
    standing: standingOf(host, ({ origin }) => origin.manifestDigest === digest),
    [Symbol.asyncDispose]: () => image.close(),
  };
}

/** The layers that the host lacks are made of the delta and of what the host has. */
async function imageOfDelta(
  { physicalRoot }: HostPlaces,
  path: string,
  options: OpenImageOptions,
): Promise<OpenedImage> {
  const delta = await openDelta(path, options);
  return { ...delta.image, unpacked: new DeltaLayers(delta, join(physicalRoot, REPOSITORY_PATH), path) };
}

/** The role of the first deployment that fits. */
export function standingOf(host: Host, fits: (deployment: HostDeployment) => boolean): Standing {
  const has = (deployment: HostDeployment | undefined) => deployment !== undefined && fits(deployment);
  if (has(host.booted)) return "booted";
  if (has(host.staged)) return "staged";
  if (has(host.rollback)) return "rollback";
  return host.others.some(has) ? "other" : "new";
}

/** A repository that cannot be opened here is told of by those who need it. */
async function configOfHost({ physicalRoot }: HostPlaces, digest: string): Promise<Uint8Array | undefined> {
  try {
    using repository = await openRepository(join(physicalRoot, REPOSITORY_PATH), { upgrade: "in-memory" });
    return await storedConfigBytes(repository, digest);
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
