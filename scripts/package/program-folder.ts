/**
 * The program as one folder that needs nothing but the C library: the compiled form, the packages it loads, and Node.
 * /usr/lib/sealroot of the Debian package and of the tool image.
 */
import { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { checkoutManifest } from "./distribution.ts";
import { CHECKOUT } from "./tools.ts";

/** Node's and Debian's names of the architectures there is a Node package for. */
export const ARCHITECTURES = { amd64: "x64", arm64: "arm64" } as const;
export type DebianArchitecture = keyof typeof ARCHITECTURES;

/** The parts of a package needed at run time. Licenses stay with what they are for. */
const NEEDED = /\.(?:js|cjs|mjs|json|node)$|(?:^|\/)(?:LICEN[CS]E|COPYING)[^/]*$/i;
/** At a package's top; further inside, folders of these names hold code (yaml/dist/doc). */
const NOT_NEEDED = /^(?:test|tests|docs?|examples?|include|man)\//;

/** @throws Error when the packages of `npm ci` are not there */
export function makeProgramFolder(distribution: string, directory: string, architecture: DebianArchitecture): void {
  rmSync(directory, { recursive: true, force: true });
  for (const name of ["src", "initramfs", "package.json", "LICENSE"]) {
    cpSync(join(distribution, name), join(directory, name), {
      recursive: true,
      filter: (path) => !path.endsWith(".d.ts"),
    });
  }
  mkdirSync(join(directory, "bin"));
  cpSync(join(CHECKOUT, "bin/sealroot"), join(directory, "bin/sealroot"));
  cpSync(join(CHECKOUT, `node_modules/node-linux-${ARCHITECTURES[architecture]}/bin/node`), join(directory, "node"));
  for (const name of ["bin/sealroot", "node"]) chmodSync(join(directory, name), 0o755);
  for (const name of requiredPackages(architecture)) copyPackage(name, directory);
}

/** The dependencies of package.json, theirs, and koffi's binary for the architecture. */
function requiredPackages(architecture: DebianArchitecture): string[] {
  const found = new Set<string>();
  const pending = [
    ...Object.keys(checkoutManifest().dependencies),
    `@koromix/koffi-linux-${ARCHITECTURES[architecture]}`,
  ];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    const path = join(CHECKOUT, "node_modules", name, "package.json");
    if (!existsSync(path)) throw new Error(`Cannot make the program folder: ${path} is missing; run ./just once`);
    const manifest = JSON.parse(readFileSync(path, "utf8")) as { dependencies?: Record<string, string> };
    pending.push(...Object.keys(manifest.dependencies ?? {}));
  }
  return [...found].sort();
}

function copyPackage(name: string, directory: string): void {
  const source = join(CHECKOUT, "node_modules", name);
  for (const path of globSync("**/*", { cwd: source, withFileTypes: true })) {
    if (!path.isFile()) continue;
    const inside = join(path.parentPath, path.name).slice(source.length + 1);
    // koffi brings a library for musl, too: the Node in this folder is glibc's.
    if (!NEEDED.test(inside) || NOT_NEEDED.test(inside) || inside.startsWith("musl_")) continue;
    const target = join(directory, "node_modules", name, inside);
    mkdirSync(join(target, ".."), { recursive: true });
    cpSync(join(source, inside), target);
  }
}
