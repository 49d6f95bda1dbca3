/** One of several processes at one repository: `node concurrent.ts pull DIRECTORY NAME` or `gc DIRECTORY`. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pullImage, untagImage } from "../../../src/imagestore/index.ts";
import { collectGarbage, openRepository } from "../../../src/repository/index.ts";

const ROUNDS = 6;
const [work, directory = "", name = ""] = process.argv.slice(2);
const path = join(directory, "repo");

/** Brings alternating images in under new names and takes the old names away: there is always garbage. */
async function pullAndDrop(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    using repository = await openRepository(path);
    await pullImage(repository, `oci:${join(directory, `layout-${1 + (round % 2)}`)}`, { name: `${name}-${round}` });
    if (round > 0) untagImage(repository, `${name}-${round - 1}`);
  }
  writeFileSync(join(directory, `done-${name}`), "");
}

/** Goes on until both pullers have ended, and once more, so that something is collected however the locks fell. */
async function collectUntilDone(): Promise<void> {
  let objects = 0;
  for (let done = false; !done; ) {
    done = ["a", "b"].every((puller) => existsSync(join(directory, `done-${puller}`)));
    using repository = await openRepository(path);
    objects += (await collectGarbage(repository)).objectsRemoved;
  }
  console.log(objects);
}

await (work === "pull" ? pullAndDrop() : collectUntilDone());
