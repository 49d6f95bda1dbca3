/** Runs one scenario's work: `node --import preload.ts run.ts NAME DIRECTORY`. */
import { SCENARIOS } from "./scenarios.ts";

const [name, directory = ""] = process.argv.slice(2);
await SCENARIOS.find((scenario) => scenario.name === name)?.act(directory);
