/** INI files as origin files use them: `[section]`, `key = value` (spec/host.md 1.3). */
import { corrupt } from "../errors/index.ts";

/** Sections in file order, each with its keys in file order. */
export type IniFile = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Reads an INI text. Blank lines and lines beginning with `#` or `;` are skipped; keys and values are trimmed.
 *
 * @param what names the input in errors
 * @throws SealrootError `corrupt` for an unknown kind of line, a key before the first section or one given twice
 */
export function parseIni(text: string, what = "INI file"): IniFile {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  for (const [index, rawLine] of text.split("\n").entries()) {
    const line = rawLine.trim();
    const at = { line: index + 1 };
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    if (line.startsWith("[") && line.endsWith("]")) {
      const name = line.slice(1, -1).trim();
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals < 1) throw corrupt(`Cannot parse ${what}: line ${at.line} is neither a section nor "key = value"`, at);
    const key = line.slice(0, equals).trim();
    if (section === undefined) throw corrupt(`Cannot parse ${what}: key "${key}" is before any section`, at);
    if (section.has(key)) throw corrupt(`Cannot parse ${what}: key "${key}" is given twice`, at);
    section.set(key, line.slice(equals + 1).trim());
  }
  return sections;
}

/**
 * Writes an INI text: one blank line between sections, a single newline at the end.
 *
 * @throws SealrootError `corrupt` for a value that would not be read back unchanged
 */
export function formatIni(file: IniFile): string {
  const texts: string[] = [];
  for (const [name, entries] of file) {
    const lines = [`[${name}]`];
    for (const [key, value] of entries) {
      if (/[\n\r]/.test(key + value) || value !== value.trim()) {
        throw corrupt(`Cannot write the INI key "${key}": its value has line breaks or blanks at an end`, {
          actual: JSON.stringify(value),
        });
      }
      lines.push(`${key} = ${value}`);
    }
    texts.push(`${lines.join("\n")}\n`);
  }
  return texts.join("\n");
}

/**
 * An INI text with one key set, or without it; all other bytes stay as they are, comments and unknown sections too. A new
 * key comes after the last line of its section, a new section at the end; one of which nothing is left goes.
 *
 * @param text as `parseIni` accepts it
 * @param value undefined removes the key
 */
export function withIniKey(text: string, section: string, key: string, value: string | undefined): string {
  // Each with its line break; a last line may have none.
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const { first, end, at } = findIniKey(lines, section, key);
  const before = (index: number) => lines.slice(0, index).join("");
  const after = (index: number) => lines.slice(index).join("");
  if (value === undefined) {
    if (at === undefined || first === undefined) return text;
    // Just the header and this line, and the blank line above them.
    const isAlone = first === at - 1 && end === at + 1;
    const start = !isAlone ? at : lines[first - 1]?.trim() === "" ? first - 1 : first;
    return before(start) + after(at + 1);
  }
  const line = `${key} = ${value}\n`;
  if (at !== undefined) return before(at) + line + after(at + 1);
  const place = end ?? lines.length;
  const head = before(place);
  const whole = head === "" || head.endsWith("\n") ? head : `${head}\n`;
  return end === undefined ? `${whole}${whole === "" ? "" : "\n"}[${section}]\n${line}` : whole + line + after(place);
}

interface IniPlace {
  /** Index of the section's header. */
  readonly first: number | undefined;
  /** After its last line that is not blank. */
  readonly end: number | undefined;
  readonly at: number | undefined;
}

/** Where a section and its key are; of a section that is given twice, its first part counts unless the key is in another. */
function findIniKey(lines: readonly string[], section: string, key: string): IniPlace {
  let found: IniPlace = { first: undefined, end: undefined, at: undefined };
  let part: { first: number; end: number; at: number | undefined } | undefined;
  const settle = () => {
    if (part !== undefined && (found.first === undefined || part.at !== undefined)) found = part;
  };
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line.startsWith("[") && line.endsWith("]")) {
      settle();
      part = line.slice(1, -1).trim() === section ? { first: index, end: index + 1, at: undefined } : undefined;
    } else if (part !== undefined && line !== "") {
      part.end = index + 1;
      const isComment = line.startsWith("#") || line.startsWith(";");
      if (!isComment && line.split("=", 1)[0]?.trim() === key) part.at = index;
    }
  }
  settle();
  return found;
}
