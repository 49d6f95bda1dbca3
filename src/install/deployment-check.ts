/** The one comparison everything rests on: the image that was pulled is the image the signed UKI asks for. */
import type { ComposefsArgument } from "../bls/index.ts";
import { SealrootError } from "../errors/index.ts";

/**
 * @param deploymentId fs-verity digest of the bootable image that was made from the layers
 * @throws SealrootError `conflict` in upstream's words (spec/host-install.md 8.10)
 */
export function checkDeploymentId(argument: ComposefsArgument, deploymentId: string): void {
  if (argument.id === deploymentId) return;
  throw new SealrootError(
    "conflict",
    `The UKI has the wrong composefs= parameter (is '${argument.id}', should be '${deploymentId}')`,
    {
      expected: deploymentId,
      actual: argument.id,
      hint: "the image was changed after it was sealed: seal the unsealed image again",
    },
  );
}
