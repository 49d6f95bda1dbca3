/** `node sign-uki.ts KEYS UKI SIGNED`: what sbsign does, for the comparison with it. */
import { readFile, writeFile } from "node:fs/promises";
import { loadSigner } from "../src/keys/index.ts";
import { signPe } from "../src/pe/index.ts";

const [keysDirectory = "", input = "", output = ""] = process.argv.slice(2);
await writeFile(output, await signPe(await readFile(input), loadSigner(keysDirectory, "db")));
