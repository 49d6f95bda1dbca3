/** Reads the sources as the house tests need them: what each file imports, and its code without comments. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";

export const CHECKOUT = resolve(import.meta.dirname, "../..");

export interface SourceFile {
  /** From the checkout's root, such as "src/tar/parser.ts". */
  readonly path: string;
  /** Room of src/ the file belongs to; "initramfs" for the boot program. */
  readonly room: string;
  /** Imported modules: bare names as written, files from the checkout's root. */
  readonly imports: readonly string[];
  /** Without comments. String literals stay. */
  readonly code: string;
}

/** `from "x"`, `import "x"` and `import("x")`. */
const IMPORT = /\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g;

export function readSources(pattern: string): SourceFile[] {
  return globSync(pattern, { cwd: CHECKOUT }).sort().map(readSource);
}

function readSource(path: string): SourceFile {
  const code = withoutComments(readFileSync(join(CHECKOUT, path), "utf8"));
  const imports = [...code.matchAll(IMPORT)].map(([, name = ""]) =>
    name.startsWith(".") ? normalize(join(dirname(path), name)) : name,
  );
  return { path, room: roomOf(path), imports, code };
}

/** The room of a file of src/ or initramfs/; "" for anything else. */
export function roomOf(path: string): string {
  const [top, room = ""] = path.split("/");
  if (top === "src") return room;
  return top === "initramfs" ? top : "";
}

/** Strings and templates are matched first, so that "//" inside them is no comment. */
function withoutComments(text: string): string {
  const token = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (found) => (found.startsWith("//") || found.startsWith("/*") ? " " : found));
}

/**
 * The circles of files that import each other: each as the files on it, in order, the smallest first. Of a tangle with
 * many circles one is given.
 */
export function importCircles(files: readonly SourceFile[]): string[][] {
  const importsOf = new Map(files.map(({ path, imports }) => [path, imports]));
  const circles: string[][] = [];
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]): void => {
    const at = above.indexOf(path);
    if (at >= 0) circles.push(fromSmallest(above.slice(at)));
    if (at >= 0 || done.has(path)) return;
    for (const next of importsOf.get(path) ?? []) visit(next, [...above, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return circles;
}

function fromSmallest(circle: readonly string[]): string[] {
  const start = circle.findIndex((path) => circle.every((other) => path <= other));
  return [...circle.slice(start), ...circle.slice(0, start)];
}
