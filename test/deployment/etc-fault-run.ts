/** The merge that is killed at every step: `node --import preload.ts etc-fault-run.ts DIRECTORY STATE`. */
import { join } from "node:path";
import { mergeEtc } from "../../src/deployment/index.ts";
import { openRepository } from "../../src/repository/index.ts";
import { etcTrees } from "./etc-fault-trees.ts";

const [directory = "", state = ""] = process.argv.slice(2);
using repository = await openRepository(join(directory, "repo"));
const { pristine, next } = etcTrees();
await mergeEtc({
  repository,
  pristine,
  livePath: join(directory, "live"),
  next,
  targetPath: join(state, "etc"),
  policy: "keep",
});
