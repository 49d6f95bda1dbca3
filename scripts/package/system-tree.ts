/** What the program is in a system: its folder, the command, the units. Debian package, tool image and example have it. */
import { globSync, lstatSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { CHECKOUT } from "./tools.ts";

/** A file of the disk, or a link; directories are those that these need. */
export type SystemEntry = { readonly path: string } & (
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "file"; readonly source: string; readonly mode: 0o644 | 0o755 }
);

const PROGRAM_FOLDER = "usr/lib/sealroot";
const UNIT_FOLDER = "usr/lib/systemd/system";
const PRESET_FOLDER = "usr/lib/systemd/system-preset";

/**
 * Everything that the program has in a system, each directory right before what is in it.
 *
 * The units are the files of `systemd/` in the checkout. A folder `TARGET.wants` there has links, as systemd.unit(5)
 * describes: what is enabled for every host is enabled in /usr, so that a host's own /etc need not change. A preset
 * (systemd.preset(5)) says what the first boot leaves disabled.
 * @param programFolder as makeProgramFolder makes it
 */
export function systemTree(programFolder: string): SystemEntry[] {
  const entries: SystemEntry[] = [
    { path: "usr/bin/sealroot", kind: "symlink", target: "../lib/sealroot/bin/sealroot" },
    ...folder(programFolder, PROGRAM_FOLDER),
    ...folder(join(CHECKOUT, "systemd"), UNIT_FOLDER).map((entry) =>
      entry.path.endsWith(".preset") ? { ...entry, path: join(PRESET_FOLDER, basename(entry.path)) } : entry,
    ),
  ];
  const parents = new Set<string>();
  for (const { path } of entries) {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) parents.add(path.slice(0, end));
  }
  const named = new Set(entries.map(({ path }) => path));
  const missing = [...parents].filter((path) => !named.has(path));
  return [...missing.map((path): SystemEntry => ({ path, kind: "directory" })), ...entries].sort((a, b) =>
    walkKey(a.path) < walkKey(b.path) ? -1 : 1,
  );
}

/**
 * Sorts a directory right before all that is in it, `system-preset` not between `system` and `system/a.service`: tar(1)
 * gives a directory its time when it leaves it, so that one it comes back to would have the time of the unpacking.
 */
function walkKey(path: string): string {
  return path.replaceAll("/", "\0");
}

/** Modes are those that matter, so that a builder's umask does not. */
function folder(source: string, target: string): SystemEntry[] {
  return globSync("**/*", { cwd: source }).map((name): SystemEntry => {
    const path = `${target}/${name}`;
    const from = join(source, name);
    const stat = lstatSync(from);
    if (stat.isDirectory()) return { path, kind: "directory" };
    if (stat.isSymbolicLink()) return { path, kind: "symlink", target: readlinkSync(from) };
    return { path, kind: "file", source: from, mode: (stat.mode & 0o100) === 0 ? 0o644 : 0o755 };
  });
}
