/** Which name a signature must carry for the image it is found with (spec/chunked-and-policy.md 3.4). */

import { formatImageName, type ImageName, isNamePrefix, parseImageName } from "../oci/index.ts";
import type { Fields } from "./fields.ts";

/** The rule of a requirement, `signedIdentity` in policy.json. */
export type SignedIdentity =
  | { readonly type: "matchExact" | "matchRepoDigestOrExact" | "matchRepository" }
  | { readonly type: "exactReference"; readonly name: ImageName }
  | { readonly type: "exactRepository"; readonly repository: string }
  | { readonly type: "remapIdentity"; readonly prefix: string; readonly signedPrefix: string };

/** The rule if a requirement names none. */
export const DEFAULT_IDENTITY: SignedIdentity = { type: "matchRepoDigestOrExact" };

/**
 * Reads a rule.
 * @throws SealrootError `corrupt`
 */
export function readIdentity(fields: Fields): SignedIdentity {
  const type = fields.text("type");
  switch (type) {
    case "matchExact":
    case "matchRepoDigestOrExact":
    case "matchRepository":
      fields.exactly(["type"]);
      return { type };
    case "exactReference": {
      fields.exactly(["type", "dockerReference"]);
      const name = parseImageName(fields.text("dockerReference"));
      if (name === undefined) throw fields.refused("dockerReference", "is not the name of an image");
      if (isBare(name)) throw fields.refused("dockerReference", "has neither tag nor digest");
      return { type, name };
    }
    case "exactRepository": {
      fields.exactly(["type", "dockerRepository"]);
      const name = parseImageName(fields.text("dockerRepository"));
      if (name === undefined || !isBare(name)) throw fields.refused("dockerRepository", "is not a repository");
      return { type, repository: name.repository };
    }
    case "remapIdentity": {
      fields.exactly(["type", "prefix", "signedPrefix"]);
      const [prefix, signedPrefix] = [fields.text("prefix"), fields.text("signedPrefix")];
      if (!isNamePrefix(prefix)) throw fields.refused("prefix", "is not HOST[:PORT][/PATH]");
      if (!isNamePrefix(signedPrefix)) throw fields.refused("signedPrefix", "is not HOST[:PORT][/PATH]");
      return { type, prefix, signedPrefix };
    }
    default:
      throw fields.refused("type", `"${type}" is not known`);
  }
}

/**
 * Whether a signature that says `signed` is for `image`.
 *
 * @param image the name under which the image is pulled, before mirrors; undefined for an image without one, such as in
 *   a layout, which only the two exact rules can accept
 * @param signed the `docker-reference` of the signature
 */
export function acceptsIdentity(rule: SignedIdentity, image: ImageName | undefined, signed: string): boolean {
  const signer = parseImageName(signed);
  if (signer === undefined) return false;
  switch (rule.type) {
    case "exactReference":
      return !isBare(signer) && formatImageName(rule.name) === formatImageName(signer);
    case "exactRepository":
      return rule.repository === signer.repository;
    case "matchExact":
      return image !== undefined && isSameReference(image, signer);
    case "matchRepository":
      return image?.repository === signer.repository;
    case "matchRepoDigestOrExact":
      return image !== undefined && matchesRepoDigestOrExact(image, signer);
    case "remapIdentity":
      return image !== undefined && matchesRepoDigestOrExact(remap(image, rule), signer);
  }
}

function matchesRepoDigestOrExact(image: ImageName, signer: ImageName): boolean {
  if (image.tag === undefined && image.digest !== undefined) {
    return !isBare(signer) && image.repository === signer.repository;
  }
  return isSameReference(image, signer);
}

/** Neither may be bare: otherwise a bare name would stand for every tag. */
function isSameReference(image: ImageName, signer: ImageName): boolean {
  return !isBare(image) && !isBare(signer) && formatImageName(image) === formatImageName(signer);
}

function remap(image: ImageName, { prefix, signedPrefix }: { prefix: string; signedPrefix: string }): ImageName {
  const { repository } = image;
  if (repository !== prefix && !repository.startsWith(`${prefix}/`)) return image;
  return { ...image, repository: signedPrefix + repository.slice(prefix.length) };
}

function isBare({ tag, digest }: ImageName): boolean {
  return tag === undefined && digest === undefined;
}
