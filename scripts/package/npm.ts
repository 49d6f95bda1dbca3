/** The npm package: `npm pack` over the compiled form. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { checkoutManifest } from "./distribution.ts";
import { runOrThrow } from "./tools.ts";

/**
 * Packs the compiled form in `distribution` into `outputDirectory`.
 * @returns the path of the package, `sealroot-VERSION.tgz`
 */
export function makeNpmPackage(distribution: string, outputDirectory: string): string {
  mkdirSync(outputDirectory, { recursive: true });
  runOrThrow("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", outputDirectory], {
    cwd: distribution,
  });
  return join(outputDirectory, `sealroot-${checkoutManifest().version}.tgz`);
}
