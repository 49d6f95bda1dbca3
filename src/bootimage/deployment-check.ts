/** Whether an image may become a deployment. */
import { SealrootError } from "../errors/index.ts";
import { UKI_FOLDER } from "./layout.ts";
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

/**
 * Refuses an image that is not sealed, unless that is wanted.
 *
 * @param warn is told what the host will be worth
 * @throws SealrootError `untrusted`
 */
export function checkUnsealedDeployment(
  { allowUnsealed, allowMissingVerity }: DeploymentRules & { readonly allowUnsealed: boolean },
  warn: (text: string) => void,
): void {
  if (!allowUnsealed) {
    throw new SealrootError(
      "untrusted",
      `Cannot install the image: it is not sealed (no UKI in ${UKI_FOLDER}), so its disk boots what anyone writes to it`,
      { path: UKI_FOLDER, hint: "seal it: sealroot seal IMAGE -o IMAGE --keys DIR; or give --allow-unsealed" },
    );
  }
  warn("The image is not sealed: nothing that boots is signed, and whoever can write to the disk decides what does");
  if (allowMissingVerity)
    warn("Its boot entry has composefs=?: fs-verity is not required, damaged files are not noticed");
}

function notStrict(): SealrootError {
  const what = "Cannot install the image: its command line has composefs=?, so its disk boots unverified files too";
  return new SealrootError("untrusted", what, {
    hint: "give --allow-missing-verity if that is wanted, or seal the image without it",
  });
}
