/** The boot program in the initramfs: its TypeScript modules with the types removed. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { SealrootError } from "../../errors/index.ts";

/** The folder that holds `initramfs/` and `src/`. */
const PROJECT = new URL("../../../", import.meta.url);
const MAIN = "initramfs/setup-root.ts";
/** In a package, where there are no TypeScript sources: what `readBootProgram` returned when it was made. */
const PREBUILT = new URL("initramfs/boot-program.json", PROJECT);

/** What the boot program may be made of. */
const ALLOWED = /^(?:initramfs|src\/(?:bls|bootplan|bytes|errors))\/[a-z-]+\.ts$/;

/** `from "./x.ts"`, `import "./x.ts"`: what is left of imports once types are gone. */
const IMPORT = /^(?:(?:import|export)\b[^;"=]*\bfrom|import)\s*"([^"]+)";/gm;

export interface ProgramModule {
  /** Path in the project, kept in the initramfs so that relative imports stay true. */
  readonly path: string;
  readonly source: string;
}

/**
 * The program's modules, beginning with `initramfs/setup-root.ts`, each once.
 * @throws SealrootError `failed` when a module imports something that cannot be carried
 */
export async function readBootProgram(): Promise<ProgramModule[]> {
  if (existsSync(PREBUILT)) return JSON.parse(await readFile(PREBUILT, "utf8")) as ProgramModule[];
  const modules = new Map<string, ProgramModule>();
  const pending = [MAIN];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (modules.has(path)) continue;
    if (!ALLOWED.test(path)) {
      throw new SealrootError("failed", `Cannot carry ${path} into the initramfs: it is not part of the boot program`);
    }
    const text = await readFile(fileURLToPath(new URL(path, PROJECT)), "utf8");
    const source = stripTypes(text);
    modules.set(path, { path, source });
    for (const [, specifier = ""] of source.matchAll(IMPORT)) pending.push(resolveImport(specifier, path));
  }
  return [...modules.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function resolveImport(specifier: string, importer: string): string {
  if (!specifier.startsWith("./") && !specifier.startsWith("../")) {
    throw new SealrootError("failed", `Cannot carry ${importer} into the initramfs: it imports "${specifier}"`);
  }
  return new URL(specifier, `file:///${importer}`).pathname.slice(1);
}

/** Types become blanks, so lines and columns stay those of the source. Node warns once that this is experimental. */
function stripTypes(text: string): string {
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
