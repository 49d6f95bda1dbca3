/** What takes long to make is made once into the cache. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Makes a directory unless it is there.
 *
 * @param directory its name says of what it was made
 * @param make fills the directory that it is given, and may use the other one meanwhile
 */
export async function makeOnce(directory: string, make: (made: string, work: string) => Promise<void>): Promise<void> {
  if (existsSync(directory)) return;
  const parent = dirname(directory);
  await mkdir(parent, { recursive: true });
  const work = await mkdtemp(join(parent, `making-${basename(directory)}-`));
  try {
    const made = join(work, "made");
    await mkdir(made);
    await make(made, work);
    // Two test runs may make it at the same time: the first one wins.
    await rename(made, directory).catch((error: unknown) => {
      if (!existsSync(directory)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
