/** Names of images in signatures and policies: docker references, expanded as podman and skopeo expand them. */
import { isDigest } from "./digest.ts";
import { expandRepository } from "./docker-names.ts";
import type { RegistryReference } from "./reference.ts";
import { canonicalName } from "./registry-host.ts";

/** `host[:port]/path[:tag][@digest]`, with nothing left out and the host in its canonical form. */
export interface ImageName {
  /** Host and path. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** One part of a path (OCI distribution specification, "Pulling manifests"). */
const PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const HOST =
  "(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\\[[0-9a-fA-F:]+\\])";
const REPOSITORY = new RegExp(`^${HOST}(?::[0-9]+)?(?:/${PART})+$`);
/** What remapIdentity replaces: a host, with or without a path (containers-policy.json(5)). */
const PREFIX = new RegExp(`^${HOST}(?::[0-9]+)?(?:/${PART})*$`);
/** Longer than any name a registry accepts: 255 for the repository, 128 for the tag, and a digest. */
const NAME_MAX_CHARACTERS = 1024;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/**
 * Reads a name as docker does (see expandRepository).
 * @returns undefined for what is not a name
 */
export function parseImageName(text: string): ImageName | undefined {
  if (text.length > NAME_MAX_CHARACTERS) return undefined;
  const at = text.indexOf("@");
  const named = at === -1 ? text : text.slice(0, at);
  const digest = at === -1 ? undefined : text.slice(at + 1);
  const colon = named.indexOf(":", named.lastIndexOf("/"));
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  const expanded = expandRepository(colon === -1 ? named : named.slice(0, colon));
  if (!REPOSITORY.test(expanded)) return undefined;
  const repository = canonicalName(expanded);
  if (tag !== undefined && !TAG.test(tag)) return undefined;
  if (digest !== undefined && !isDigest(digest)) return undefined;
  return { repository, tag, digest };
}

/**
 * The name of an image in a registry. A digest decides which image it is, so a tag beside it is dropped, as in podman:
 * nobody checked that the tag means that image.
 */
export function nameOfReference({ host, repository, tag, digest }: RegistryReference): ImageName {
  return {
    repository: expandRepository(canonicalName(`${host}/${repository}`)),
    tag: digest === undefined ? tag : undefined,
    digest,
  };
}

/** The name as text. */
export function formatImageName({ repository, tag, digest }: ImageName): string {
  return `${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

/** True for what `remapIdentity` accepts as a prefix. */
export function isNamePrefix(text: string): boolean {
  return PREFIX.test(text);
}
