/**
 * `./just package [npm] [deb] [image]`: what others install, into dist/.
 *
 *     dist/sealroot/                       the compiled form
 *     dist/sealroot-VERSION.tgz            npm
 *     dist/sealroot_VERSION_ARCH.deb       Debian
 *     dist/tool-image/                     an OCI layout
 */
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeDebianPackage } from "./debian.ts";
import { makeDistribution } from "./distribution.ts";
import { makeNpmPackage } from "./npm.ts";
import { type DebianArchitecture, makeProgramFolder } from "./program-folder.ts";
import { makeToolImage } from "./tool-image.ts";
import { CHECKOUT } from "./tools.ts";

const KINDS = ["npm", "deb", "image"];

/** The time of everything in a package: SOURCE_DATE_EPOCH, else that of the commit, so that one commit gives one package. */
function epochSeconds(): number {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) return Number(given);
  return Number(execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: CHECKOUT, encoding: "utf8" }));
}

function say(what: string, path: string, bytes: number): void {
  console.log(`${what.padEnd(20)} ${(bytes / 2 ** 20).toFixed(1).padStart(6)} MiB  ${path}`);
}

function folderBytes(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

const words = process.argv.slice(2);
const unknown = words.find((word) => !KINDS.includes(word));
if (unknown !== undefined) {
  console.error(`package: there is no package "${unknown}": ${KINDS.join(", ")} are known`);
  process.exit(2);
}
const wanted = words.length === 0 ? KINDS : words;
const output = join(CHECKOUT, "dist");
const architecture: DebianArchitecture = process.arch === "arm64" ? "arm64" : "amd64";
if (wanted.includes("npm")) {
  const distribution = join(output, "sealroot");
  await makeDistribution(distribution);
  say("compiled", distribution, folderBytes(distribution));
  const path = makeNpmPackage(distribution, output);
  say("npm package", path, statSync(path).size);
}
if (wanted.includes("deb") || wanted.includes("image")) {
  const program = join(output, "program");
  await makeProgramFolder(program, architecture);
  say("program folder", program, folderBytes(program));
  if (wanted.includes("deb")) {
    const path = await makeDebianPackage(program, output, architecture, epochSeconds());
    say("Debian package", path, statSync(path).size);
  }
  if (wanted.includes("image")) {
    const layout = join(output, "tool-image");
    await makeToolImage(program, layout, architecture, epochSeconds());
    say("tool image", `oci:${layout}:latest`, folderBytes(layout));
  }
  rmSync(program, { recursive: true });
}
