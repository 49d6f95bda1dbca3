/** os-release files: the operating system's names (os-release(5)). */

/** The variables of an os-release file. */
export type OsRelease = ReadonlyMap<string, string>;

const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/;

/**
 * Reads the text of an os-release file. Values may be bare, in double quotes with backslash escapes, or in single
 * quotes. Lines that are not an assignment are skipped, as by other os-release(5) readers; the last value of a name
 * wins.
 */
export function parseOsRelease(text: string): OsRelease {
  const variables = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = ASSIGNMENT.exec(line.trim());
    if (match !== null) variables.set(match[1] ?? "", unquoteShellWord(match[2] ?? ""));
  }
  return variables;
}

function unquoteShellWord(text: string): string {
  if (text.length >= 2 && text.startsWith("'") && text.endsWith("'")) return text.slice(1, -1);
  if (text.length >= 2 && text.startsWith('"') && text.endsWith('"')) {
    return text.slice(1, -1).replace(/\\([\\"$`])/g, "$1");
  }
  return text.replace(/\\(.)/g, "$1");
}

/** What boot entries say about an operating system (spec/host.md 1.6). */
export interface OsIdentity {
  /** ID, or `bootc`. */
  readonly id: string;
  /** PRETTY_NAME, else NAME, else ID; undefined if none is given. */
  readonly name: string | undefined;
  /** VERSION_ID, else VERSION. */
  readonly version: string | undefined;
}

/** The names from an os-release file; empty values count as absent. */
export function osIdentity(release: OsRelease): OsIdentity {
  const first = (...keys: string[]) =>
    keys.map((key) => release.get(key)).find((value) => value !== undefined && value !== "");
  return {
    id: first("ID") ?? "bootc",
    name: first("PRETTY_NAME", "NAME", "ID"),
    version: first("VERSION_ID", "VERSION"),
  };
}
