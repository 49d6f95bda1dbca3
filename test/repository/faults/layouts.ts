/** Two small images of the vectors as `layout-1` and `layout-2`. */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../../src/platform/index.ts";

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
