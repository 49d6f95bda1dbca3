/** Image references as skopeo and podman write them: `TRANSPORT:REST` (containers-transports(5)). */
import { SealrootError } from "../errors/index.ts";

/** An image in a directory or file. */
export interface ImageReference {
  readonly transport: "oci" | "oci-archive";
  /** The layout's directory, or the archive. */
  readonly path: string;
  /** Undefined: the only image there. */
  readonly tag: string | undefined;
}

/** Transports that exist elsewhere; skopeo can bring their images into a layout. */
const FOREIGN_TRANSPORTS: ReadonlySet<string> = new Set([
  "docker",
  "registry",
  "docker-archive",
  "docker-daemon",
  "containers-storage",
  "dir",
  "ostree-unverified-image",
  "ostree-image-signed",
]);

/**
 * Reads a reference.
 *
 * The tag of `oci:` and `oci-archive:` is the text behind the last colon, unless that contains a slash (spec/oci.md 2).
 *
 * @throws SealrootError `unsupported` for a transport that is known but not done here, `usage` for anything else
 */
export function parseReference(text: string): ImageReference {
  const colon = text.indexOf(":");
  const transport = text.slice(0, Math.max(colon, 0));
  if (FOREIGN_TRANSPORTS.has(transport)) {
    throw new SealrootError("unsupported", `Cannot open image "${text}": transport ${transport}: is not supported`, {
      path: text,
      hint: `copy it into a layout first: skopeo copy ${text} oci:DIRECTORY:TAG`,
    });
  }
  if (transport !== "oci" && transport !== "oci-archive") {
    throw new SealrootError("usage", `Cannot open image "${text}": it does not begin with a transport`, {
      path: text,
      hint: "write oci:DIRECTORY[:TAG] or oci-archive:FILE[:TAG]",
    });
  }
  const { path, tag } = splitTag(text.slice(colon + 1));
  if (path === "") {
    throw new SealrootError("usage", `Cannot open image "${text}": the path is missing`, {
      hint: `write ${transport}:PATH[:TAG]`,
    });
  }
  return { transport, path, tag };
}

function splitTag(rest: string): { path: string; tag: string | undefined } {
  const colon = rest.lastIndexOf(":");
  const tag = rest.slice(colon + 1);
  if (colon === -1 || tag === "" || tag.includes("/")) return { path: rest.replace(/:$/, ""), tag: undefined };
  return { path: rest.slice(0, colon), tag };
}

/** The reference as text again. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  return `${reference.transport}:${reference.path}${tag}`;
}
