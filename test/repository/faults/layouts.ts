/** Two small images of the vectors as `layout-1` and `layout-2`, and one of many layers. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../../src/platform/index.ts";
import { type LayeredImage, layeredImage, randomFiles } from "../../imagestore/layered-image.ts";

const VECTORS = new URL("../../vectors/repo/", import.meta.url).pathname;
const CASES = ["10-boot-selinux", "02-whiteouts"];

/** Unpacks them into the directory. */
export async function unpackLayouts(directory: string): Promise<void> {
  for (const [index, name] of CASES.entries()) {
    await runTool("tar", ["-xzf", join(VECTORS, name, "layout.tar.gz"), "-C", directory]);
    cpSync(join(directory, "layout"), join(directory, `layout-${index + 1}`), { recursive: true });
    rmSync(join(directory, "layout"), { recursive: true });
  }
}

/** An image of six layers as `layout-3`: small bodies, and one that goes to the workers in pieces. */
export function makeManyLayers(directory: string): Promise<LayeredImage> {
  const sizesBytes = [[100, 5000], [300_000], [70], [600_000, 10], [200, 200], [40_000]];
  const layers = sizesBytes.map((sizes, index) => randomFiles(`layer-${index}`, sizes));
  return layeredImage(join(directory, "layout-3"), layers);
}
