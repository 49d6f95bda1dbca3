/**
 * The program as few files: a start loads 30 of them instead of 540, which is a third of the time it took. Names and lines
 * stay readable, since a host's administrator is to be able to read what he runs.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";
import { CHECKOUT } from "./tools.ts";

const MAIN = "src/cli/main.ts";
/** Modules that worker threads begin with. The name of the file is kept, so it must be the only one of its name. */
const WORKERS = ["src/objects/jobs/object-worker.ts", "src/verify/objects/verify-worker.ts"];

/** Packages that cannot be bundled, as they load a native library that lies beside them. */
export const EXTERNAL_PACKAGES: readonly string[] = ["koffi"];

/** yaml's build for browsers is the one with ECMAScript modules; the same parser and writer. */
const ALIASES = { yaml: join(CHECKOUT, "node_modules/yaml/browser/index.js") };

/** CommonJS that is loaded for its effects, and not for what it exports. */
const FOR_EFFECT = /\/reflect-metadata\//;

/** Of what is bundled some is CommonJS, and asks for Node's own modules by this name. */
const REQUIRE = `import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);\n`;

/**
 * Bundles the checkout's program into `directory`, in which nothing but `lib/` is made: `lib/main.js` is what Node is
 * started with. Equal sources give equal bytes.
 *
 * @param mains paths in the checkout of what else is started; a benchmark measures the parts as they are on hosts
 * @throws Error when esbuild refuses a source
 */
export async function bundleProgram(directory: string, mains: readonly string[] = []): Promise<void> {
  const entries = [MAIN, ...mains, ...WORKERS].map((path) => [basename(path, ".ts"), join(CHECKOUT, path)]);
  const { outputFiles, metafile } = await build({
    absWorkingDir: CHECKOUT,
    entryPoints: Object.fromEntries(entries) as Record<string, string>,
    outdir: join(directory, "lib"),
    ...{ bundle: true, splitting: true, format: "esm", platform: "node", target: "node24", write: false },
    metafile: true,
    chunkNames: "[name]-[hash]",
    alias: ALIASES,
    // ECMAScript modules where a package has both.
    mainFields: ["module", "main"],
    external: [...EXTERNAL_PACKAGES],
    // Licenses lie beside the program (program-folder.ts).
    legalComments: "none",
    logLevel: "error",
    plugins: [ownPlaces],
  });
  refuseNameless(metafile);
  mkdirSync(join(directory, "lib"), { recursive: true });
  for (const { path, text } of outputFiles) {
    writeFileSync(path, text.includes("var __require = ") ? `${REQUIRE}${text}` : text);
  }
}

/** esbuild gives a CommonJS module that is loaded by `import()` no named exports; Node gives it some. */
function refuseNameless({ inputs }: Metafile): void {
  for (const [importer, { imports }] of Object.entries(inputs)) {
    for (const { path, kind } of imports) {
      if (kind !== "dynamic-import" || inputs[path]?.format !== "cjs" || FOR_EFFECT.test(path)) continue;
      throw new Error(`Cannot bundle ${importer}: it loads ${path}, which is CommonJS, by import()`);
    }
  }
}

/**
 * A module that asks where it is gets the place that it has in a checkout, from which the program folder has the same
 * things in the same direction: `package.json`, `initramfs/`, `node_modules/`. Workers are in `lib/`.
 */
const ownPlaces: Plugin = {
  name: "own-places",
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, "utf8");
      if (!source.includes("import.meta.url")) return undefined;
      const place = `new URL("../${relative(CHECKOUT, path)}", import.meta.url).href`;
      const contents = source
        .replaceAll(/new URL\("[^"]*\/([a-z-]+)\.ts", import\.meta\.url\)/g, 'new URL("./$1.js", import.meta.here)')
        .replaceAll("import.meta.url", place)
        .replaceAll("import.meta.here", "import.meta.url");
      return { contents, loader: "ts" };
    });
  },
};
