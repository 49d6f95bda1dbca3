/** Whether a sealed image may become a deployment. */
import { SealrootError } from "../errors/index.ts";
import type { SealedContents } from "./sealed.ts";

export interface DeploymentRules {
  /** Accept an image whose command line has `composefs=?`, whose disk also boots without fs-verity. */
  readonly allowMissingVerity: boolean;
}

/**
 * Refuses an image that would boot unverified files, unless that is wanted.
 *
 * @param warn is told of an image that is not strict, and of an option without effect
 * @throws SealrootError `untrusted`
 */
export function checkDeployment(
  { composefsArguments }: Pick<SealedContents, "composefsArguments">,
  { allowMissingVerity }: DeploymentRules,
  warn: (text: string) => void,
): void {
  const isOptional = composefsArguments.some(({ verityOptional }) => verityOptional);
  if (isOptional && !allowMissingVerity) throw notStrict();
  if (isOptional) {
    warn("The image is not sealed strictly: its command line has composefs=?, so fs-verity is not required");
  } else if (allowMissingVerity) {
    warn("The image is sealed strictly: --allow-missing-verity changes nothing");
  }
}

function notStrict(): SealrootError {
  const what = "Cannot install the image: its command line has composefs=?, so its disk boots unverified files too";
  return new SealrootError("untrusted", what, {
    hint: "give --allow-missing-verity if that is wanted, or seal the image without it",
  });
}
