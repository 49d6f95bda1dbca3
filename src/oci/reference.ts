/** Image references as skopeo and podman write them: `TRANSPORT:REST` (containers-transports(5)). */
import { SealrootError } from "../errors/index.ts";
import { isDigest } from "./digest.ts";
import { canonicalHost, isHost } from "./registry-host.ts";

/** An image in a directory or file. */
export interface PathReference {
  readonly transport: "oci" | "oci-archive" | "docker-archive" | "dir";
  /** The layout's directory, or the archive. */
  readonly path: string;
  /** The name of an image there, which may contain colons and slashes. Undefined: the only image; always for `dir`. */
  readonly tag: string | undefined;
}

/** An image in a registry. */
export interface RegistryReference {
  readonly transport: "docker";
  /** Host, and port if given; `docker.io` is kept as written. */
  readonly host: string;
  /** The path in the registry, such as `library/debian`. */
  readonly repository: string;
  /** `latest` when neither tag nor digest is given. */
  readonly tag: string | undefined;
  /** Decides which image it is when both are given. */
  readonly digest: string | undefined;
}

/** An image in podman's store. */
export interface StorageReference {
  readonly transport: "containers-storage";
  /** What is in brackets, such as `overlay@/var/lib/containers/storage`; undefined: the user's own store. */
  readonly store: string | undefined;
  /** A name, an id, or a name and `@id`. */
  readonly image: string;
}

export type ImageReference = PathReference | RegistryReference | StorageReference;

const PATH_TRANSPORTS = ["oci", "oci-archive", "docker-archive", "dir"] as const;

/** Transports that exist elsewhere, and what to write here. */
const FOREIGN_TRANSPORTS: ReadonlyMap<string, (rest: string) => string> = new Map<string, (rest: string) => string>([
  ["registry", (rest) => `write docker://${rest.replace(/^\/\//, "")}`],
  ["docker-daemon", (rest) => `save it first: docker save -o FILE ${rest}, then docker-archive:FILE`],
  ["ostree-unverified-image", () => "write docker://HOST/NAME:TAG"],
  ["ostree-unverified-registry", (rest) => `write docker://${rest}`],
  ["ostree-image-signed", () => "write docker://HOST/NAME:TAG; signatures are the policy's business"],
]);

/**
 * Reads a reference.
 *
 * The name of an image in a layout or archive follows the first colon (containers-transports(5)); a reader may find
 * that the path continues after it (see splitWhereFound). A `docker://` reference needs its registry's host: short
 * names mean different images on different machines.
 *
 * @throws SealrootError `unsupported` for a transport that other tools know, `usage` for anything else
 */
export function parseReference(text: string): ImageReference {
  const colon = text.indexOf(":");
  const transport = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  const hintFor = FOREIGN_TRANSPORTS.get(transport);
  if (hintFor !== undefined) {
    throw new SealrootError("unsupported", `Cannot open image "${text}": transport ${transport}: is not supported`, {
      path: text,
      hint: hintFor(rest),
    });
  }
  if (transport === "docker") return parseRegistryReference(rest, text);
  if (transport === "containers-storage") return parseStorageReference(rest, text);
  const pathTransport = PATH_TRANSPORTS.find((name) => name === transport);
  if (pathTransport !== undefined) return parsePathReference(pathTransport, rest, text);
  throw refused(text, "it does not begin with a transport", hintFromText(text));
}

/** The reference as text again. */
export function formatReference(reference: ImageReference): string {
  switch (reference.transport) {
    case "docker":
      return `docker://${formatRegistryName(reference)}`;
    case "containers-storage":
      return `containers-storage:${reference.store === undefined ? "" : `[${reference.store}]`}${reference.image}`;
    case "oci":
    case "oci-archive":
    case "dir":
    case "docker-archive":
      return `${reference.transport}:${reference.path}${reference.tag === undefined ? "" : `:${reference.tag}`}`;
  }
}

/** `HOST/REPOSITORY[:TAG][@DIGEST]`, as signatures and policies name an image. */
function formatRegistryName({ host, repository, tag, digest }: RegistryReference): string {
  return `${host}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function parsePathReference(transport: PathReference["transport"], rest: string, text: string): PathReference {
  const { path, tag } = splitTag(transport, rest);
  if (path === "") throw refused(text, "the path is missing", `write ${transport}:PATH[:TAG]`);
  return { transport, path, tag };
}

function splitTag(transport: PathReference["transport"], rest: string): { path: string; tag: string | undefined } {
  if (transport === "dir") return { path: rest, tag: undefined };
  const colon = rest.indexOf(":");
  if (colon === -1) return { path: rest, tag: undefined };
  return { path: rest.slice(0, colon), tag: rest.slice(colon + 1) || undefined };
}

/** Repository names and tags (OCI distribution specification, "Pulling manifests"). */
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

function parseRegistryReference(rest: string, text: string): RegistryReference {
  if (!rest.startsWith("//")) throw refused(text, "two slashes are missing", `write docker://${withHost(rest)}`);
  const [named = "", digest, ...more] = rest.slice(2).split("@");
  if (more.length > 0 || (digest !== undefined && !isDigest(digest))) {
    throw refused(text, "what follows @ is not a digest", "write @sha256: and 64 lower-case hexadecimal digits");
  }
  const slash = named.indexOf("/");
  const host = named.slice(0, Math.max(slash, 0));
  if (!isHost(host)) {
    const hint = named === "" ? "write docker://HOST/NAME[:TAG]" : `write docker://${withHost(rest.slice(2))}`;
    throw refused(text, "the registry's host is missing; short names are not looked up", hint);
  }
  const colon = named.indexOf(":", slash);
  const repository = named.slice(slash + 1, colon === -1 ? undefined : colon);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  if (canonicalHost(host) === undefined)
    throw refused(text, `"${host}" is not a host`, "write docker://HOST[:PORT]/NAME[:TAG]");
  if (!REPOSITORY.test(repository)) {
    throw refused(
      text,
      `"${repository}" is not the name of a repository`,
      "names are lower-case letters, digits and . _ - /",
    );
  }
  if (tag !== undefined && !TAG.test(tag))
    throw refused(text, `"${tag}" is not a tag`, "tags are letters, digits and . _ -");
  return { transport: "docker", host, repository, tag: tag ?? (digest === undefined ? "latest" : undefined), digest };
}

function parseStorageReference(rest: string, text: string): StorageReference {
  const match = /^(?:\[([^\]]*)\])?(.*)$/s.exec(rest);
  const image = match?.[2] ?? "";
  if (image === "") throw refused(text, "the image's name is missing", "write containers-storage:NAME or :ID");
  return { transport: "containers-storage", store: match?.[1], image };
}

/** The most likely meaning of the name: short names are at docker.io, those without a slash in `library/`. */
function withHost(name: string): string {
  const [first = "", ...rest] = name.split("/");
  if (rest.length === 0) return `docker.io/library/${name}`;
  return isHost(first) ? name : `docker.io/${name}`;
}

/** How to write a reference that was given without a transport. */
function hintFromText(text: string): string {
  if (/^\.{0,2}\//.test(text)) return `write oci:${text}, or oci-archive:, docker-archive: or dir: before the path`;
  const name = text.replace(/^https?:\/\//, "");
  if (name === "") return "write docker://HOST/NAME[:TAG], oci:DIRECTORY[:TAG] …";
  return `write docker://${withHost(name)}, or oci:DIRECTORY[:TAG] for a layout`;
}

function refused(text: string, reason: string, hint: string): SealrootError {
  return new SealrootError("usage", `Cannot open image "${text}": ${reason}`, { path: text, hint });
}
