/** Images handed to and taken from skopeo and podman, and what must come of them. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pullImage } from "../../src/imagestore/index.ts";
import { initRepository } from "../../src/repository/index.ts";

/** Copies an image with skopeo; both ends as skopeo writes them. */
export function skopeoCopy(from: string, to: string, ...options: readonly string[]): void {
  const words = ["--insecure-policy", "--tmpdir", tmpdir(), "copy", "--quiet", ...options, from, to];
  execFileSync("skopeo", words, { stdio: ["ignore", "ignore", "pipe"] });
}

/** What a pull makes of a reference: everything that must not depend on where the image lay. */
export interface PulledIds {
  readonly configDigest: string;
  readonly imageIds: readonly string[];
}

let repositories = 0;

/** Pulls into a new repository below `scratch`. */
export async function pulledIds(scratch: string, reference: string): Promise<PulledIds> {
  const path = join(scratch, `repository-${++repositories}`);
  mkdirSync(scratch, { recursive: true });
  using repository = (await initRepository(path, { algorithm: "sha256", protection: "insecure" })).repository;
  const { configDigest, imageIds } = await pullImage(repository, reference, { name: "pulled" });
  return { configDigest, imageIds: [...imageIds.values()] };
}
