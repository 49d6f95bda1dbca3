/**
 * The command line as bin/sealroot runs it; after its output, the most memory it had, in KiB. A file, as its threads would
 * not start from a program on the command line.
 */
import { main } from "../../src/cli/main.ts";
import { processOutput } from "../../src/cli/output.ts";

process.exitCode = await main(process.argv.slice(2), processOutput());
process.stdout.write(`\n${process.resourceUsage().maxRSS}\n`);
