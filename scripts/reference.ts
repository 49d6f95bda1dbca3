/** `./just reference`: writes docs/cli.md from the table of verbs. */
import { writeFileSync } from "node:fs";
import { referencePage } from "../src/cli/manual/reference-page.ts";
import { verbManuals } from "../src/cli/manual/verb-manual.ts";

writeFileSync("docs/cli.md", referencePage(await verbManuals()));
console.log("docs/cli.md");
