/**
 * The program as one folder that needs nothing but the C and C++ libraries: the bundle, what cannot be bundled, and
 * Node. /usr/lib/sealroot of the Debian package, of the tool image and of the example.
 *
 *     bin/sealroot   node   lib/*.js   initramfs/   node_modules/   licenses/   package.json   LICENSE
 */
import { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundleProgram, EXTERNAL_PACKAGES } from "./bundle.ts";
import { checkoutManifest, copyInitramfs, copyStarter } from "./distribution.ts";
import { stripElf } from "./strip-elf.ts";
import { CHECKOUT } from "./tools.ts";

/** Node's and Debian's names of the architectures there is a Node package for. */
export const ARCHITECTURES = { amd64: "x64", arm64: "arm64" } as const;
export type DebianArchitecture = keyof typeof ARCHITECTURES;

/** The parts of an external package needed at run time. */
const NEEDED = /\.(?:js|cjs|mjs|json|node)$/;
/** At a package's top; further inside, folders of these names hold code. */
const NOT_NEEDED = /^(?:test|tests|docs?|examples?|include|man)\//;
const LICENSE_FILES = "{LICEN[CS]E,COPYING}*";

/**
 * Makes the folder of the checkout's sources. Equal sources give equal bytes.
 * @param directory emptied first
 * @throws Error when the packages of `npm ci` are not there
 */
export async function makeProgramFolder(directory: string, architecture: DebianArchitecture): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, "bin"), { recursive: true });
  await bundleProgram(directory);
  await copyInitramfs(directory);
  copyStarter(directory);
  const { name, version, description, license } = checkoutManifest();
  const manifest = { name, version, description, license, type: "module", private: true };
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  cpSync(join(CHECKOUT, "LICENSE"), join(directory, "LICENSE"));
  cpSync(join(CHECKOUT, "bin/sealroot"), join(directory, "bin/sealroot"));
  const nodePackage = `node-linux-${ARCHITECTURES[architecture]}`;
  const node = join(CHECKOUT, "node_modules", nodePackage, "bin/node");
  if (!existsSync(node)) throw new Error(`Cannot make the program folder: ${node} is missing; run ./just once`);
  writeFileSync(join(directory, "node"), stripElf(readFileSync(node)));
  for (const path of ["bin/sealroot", "node"]) chmodSync(join(directory, path), 0o755);
  const library = `@koromix/koffi-linux-${ARCHITECTURES[architecture]}`;
  for (const external of [...EXTERNAL_PACKAGES, library]) copyPackage(external, directory);
  for (const required of [...requiredPackages(library), nodePackage]) copyLicenses(required, directory);
}

/** The dependencies of package.json, theirs, and koffi's library for the architecture. */
function requiredPackages(library: string): string[] {
  const found = new Set<string>();
  const pending = [...Object.keys(checkoutManifest().dependencies), library];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    pending.push(...Object.keys(readPackage(name).dependencies ?? {}));
  }
  return [...found].sort();
}

interface Package {
  readonly version?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function readPackage(name: string): Package {
  const path = join(CHECKOUT, "node_modules", name, "package.json");
  if (!existsSync(path)) throw new Error(`Cannot make the program folder: ${path} is missing; run ./just once`);
  return JSON.parse(readFileSync(path, "utf8")) as Package;
}

function copyPackage(name: string, directory: string): void {
  const source = join(CHECKOUT, "node_modules", name);
  for (const path of globSync("**/*", { cwd: source, withFileTypes: true })) {
    if (!path.isFile()) continue;
    const inside = join(path.parentPath, path.name).slice(source.length + 1);
    // koffi brings a library for musl, too: the Node in this folder is glibc's.
    if (!NEEDED.test(inside) || NOT_NEEDED.test(inside) || inside.startsWith("musl_")) continue;
    const target = join(directory, "node_modules", name, inside);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(source, inside), target);
  }
}

/** `licenses/NAME`: name, version and license as the package states them, then its own texts. */
function copyLicenses(name: string, directory: string): void {
  const { version, license } = readPackage(name);
  const source = join(CHECKOUT, "node_modules", name);
  const texts = globSync(LICENSE_FILES, { cwd: source }).sort();
  const text = texts.map((file) => `\n${readFileSync(join(source, file), "utf8")}`).join("");
  const target = join(directory, "licenses", name.replace("/", "+"));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, `${name} ${version ?? ""} (${license ?? "see below"})\n${text}`);
}
