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
