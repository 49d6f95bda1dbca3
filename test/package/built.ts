/** What `./just package` makes, built once for the tests that run in this process, and the example it is tried on. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { makeSealedDisk } from "../../examples/debian/sealed-disk.ts";
import { makeDistribution } from "../../scripts/package/distribution.ts";
import { CHECKOUT } from "../../scripts/package/tools.ts";
import { silent } from "../../src/events/index.ts";
import { OciLayout } from "../../src/oci/index.ts";

/** Time of the packages' files in tests; any. */
export const EPOCH_SECONDS = 1_793_491_200;

/** The compiled form in a folder of its own. */
export async function distributionIn(directory: string): Promise<string> {
  const distribution = join(directory, "sealroot");
  mkdirSync(directory, { recursive: true });
  await makeDistribution(distribution);
  return distribution;
}

/** The example, and the digest that sealing it with its keys must give again. */
export async function exampleToSeal() {
  const { image, keysDirectory, sealedReference } = await makeSealedDisk({ reuse: true, quiet: true, events: silent });
  const env = { SOURCE_DATE_EPOCH: String(image.sourceDateEpochSeconds) };
  const sealedDirectory = sealedReference.replace(/^oci:/, "").replace(/:latest$/, "");
  return { image, keysDirectory, env, sealedDigest: await manifestDigest(sealedDirectory) };
}

export async function manifestDigest(layoutDirectory: string): Promise<string> {
  const { manifests } = await (await OciLayout.open(layoutDirectory)).readIndex();
  return manifests[0]?.digest ?? "none";
}

export { CHECKOUT };
