/** Which image a host is to have next: what it follows, another tag of it, or another image. */

import { targetReference } from "../deployment/index.ts";
import { SealrootError } from "../errors/index.ts";
import type { Host } from "../host/index.ts";
import { formatReference, parseReference } from "../oci/index.ts";

export interface UpdateTarget {
  /** Skopeo-style; what the host follows from then on. */
  readonly imageReference: string;
  /** Where the image is taken from this once: the reference itself, or such as a layout on a stick. */
  readonly source: string;
  /** It is made of this file or directory, a delta from an image that the host has; the source is its name in errors. */
  readonly delta?: string | undefined;
}

export interface UpgradeChoice {
  /** Another tag of the image that the host follows. */
  readonly tag?: string | undefined;
  /** Take the image from here, whatever the host follows. */
  readonly source?: string | undefined;
  /** Make the image of a delta in this file or directory. */
  readonly delta?: string | undefined;
}

/**
 * The image that the host follows: that of the staged deployment, so that an upgrade goes on after a switch, else that of
 * the booted one.
 *
 * @throws SealrootError `not-found` when nothing says what the host follows; `usage`, `unsupported` for references that
 *   cannot have that tag
 */
export function upgradeTarget(host: Host, { tag, source, delta }: UpgradeChoice = {}): UpdateTarget {
  const followed = (host.staged ?? host.booted)?.origin.imageReference;
  if (followed === undefined) {
    throw new SealrootError("not-found", "Cannot upgrade: it is not known which image this host follows", {
      hint: "name it: sealroot switch IMAGE",
    });
  }
  const imageReference = tag === undefined ? followed : withTag(followed, tag);
  if (delta !== undefined) return { imageReference, source: delta, delta };
  return { imageReference, source: source ?? imageReference };
}

/**
 * @param name as bootc's `switch` takes it
 * @param transport bootc's name of it
 * @throws SealrootError `usage`
 */
export function switchTarget(name: string, transport: string, source?: string): UpdateTarget {
  const imageReference = targetReference(name, name, transport);
  parseReference(imageReference);
  return { imageReference, source: source ?? imageReference };
}

/** The reference with another tag; a digest is dropped, since it would decide. */
function withTag(text: string, tag: string): string {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag)) {
    throw new SealrootError("usage", `Cannot use --tag ${tag}: it is not a tag`, {
      hint: "a tag has up to 128 letters, digits, and . _ -, and begins with neither . nor -",
    });
  }
  const reference = parseReference(text);
  if (reference.transport === "docker") return formatReference({ ...reference, tag, digest: undefined });
  if (reference.transport === "oci" || reference.transport === "oci-archive")
    return formatReference({ ...reference, tag });
  throw new SealrootError("unsupported", `Cannot use --tag: the image ${text} has no tags`, {
    hint: "name the image: sealroot switch IMAGE",
  });
}
