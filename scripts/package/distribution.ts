/**
 * The compiled form of sealroot: JavaScript and types of all rooms, the initramfs' parts with the boot program prebuilt,
 * and the command. The npm package is made of it.
 */
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readBootProgram } from "../../src/seal/initramfs/boot-program.ts";
import { starterTemplates } from "../../src/starter/index.ts";
import { CHECKOUT, runOrThrow, settleModes } from "./tools.ts";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** package.json of the checkout. */
export function checkoutManifest(): Manifest {
  return JSON.parse(readFileSync(join(CHECKOUT, "package.json"), "utf8")) as Manifest;
}

/**
 * Makes the compiled form in `directory`, which is emptied first. Equal sources give equal bytes.
 *
 *     bin/sealroot.js   src/ROOM/*.js, *.d.ts   initramfs/   package.json   README.md   LICENSE
 *
 * @throws Error when the compiler finds a fault
 */
export async function makeDistribution(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, "bin"), { recursive: true });
  compile(directory);
  await copyInitramfs(directory);
  copyStarter(directory);
  for (const name of ["README.md", "LICENSE", "CHANGELOG.md"]) cpSync(join(CHECKOUT, name), join(directory, name));
  cpSync(join(CHECKOUT, "scripts/package/sealroot.js"), join(directory, "bin/sealroot.js"));
  chmodSync(join(directory, "bin/sealroot.js"), 0o755);
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(packageJson(), null, 2)}\n`);
  settleModes(directory);
}

/**
 * The compiler rewrites `import "./x.ts"` in JavaScript only; types and `new URL("./x.ts", import.meta.url)`, by which
 * workers are found, are rewritten here.
 */
function compile(directory: string): void {
  const options = ["--noEmit", "false", "--declaration", "--allowImportingTsExtensions", "false"];
  const target = ["--rewriteRelativeImportExtensions", "--target", "esnext", "--rootDir", CHECKOUT];
  runOrThrow(process.execPath, [
    join(CHECKOUT, "node_modules/typescript/bin/tsc"),
    ...["-p", join(CHECKOUT, "scripts/package/tsconfig.json"), ...options, ...target, "--outDir", directory],
  ]);
  for (const path of globSync("src/**/*.{js,d.ts}", { cwd: directory }).map((name) => join(directory, name))) {
    const text = readFileSync(path, "utf8");
    const rewritten = path.endsWith(".d.ts")
      ? text.replace(/(\bfrom "|\bimport\("|^import ")(\.[^"]*)\.ts"/gm, '$1$2.js"')
      : text.replace(/(new URL\("\.[^"]*)\.ts", import\.meta\.url\)/g, '$1.js", import.meta.url)');
    if (rewritten !== text) writeFileSync(path, rewritten);
  }
}

/** The unchanged glue, and the boot program as from its sources, so that both give the same initramfs. */
export async function copyInitramfs(directory: string): Promise<void> {
  for (const name of globSync("initramfs/*/*", { cwd: CHECKOUT })) {
    cpSync(join(CHECKOUT, name), join(directory, name));
  }
  const modules = await readBootProgram();
  writeFileSync(join(directory, "initramfs/boot-program.json"), `${JSON.stringify(modules)}\n`);
}

/** The templates of `sealroot init`, in the places that they have in the checkout. */
export function copyStarter(directory: string): void {
  for (const path of starterTemplates()) cpSync(join(CHECKOUT, path), join(directory, path));
}

function packageJson() {
  const { name, version, description, license, engines, dependencies } = checkoutManifest();
  const rooms = globSync("src/*/index.ts", { cwd: CHECKOUT })
    .map((path) => path.split("/")[1] ?? "")
    // The command line is run, not imported.
    .filter((room) => room !== "verbs")
    .sort();
  const door = (room: string) => [
    `./${room}`,
    { types: `./src/${room}/index.d.ts`, default: `./src/${room}/index.js` },
  ];
  return {
    name,
    version,
    description,
    license,
    type: "module",
    engines,
    bin: { sealroot: "bin/sealroot.js" },
    exports: Object.fromEntries(rooms.map(door)) as Record<string, unknown>,
    files: ["bin", "src", "initramfs", "starter", "examples", "CHANGELOG.md"],
    dependencies,
  };
}
