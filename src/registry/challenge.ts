/** The header WWW-Authenticate (RFC 9110 sections 11.6.1 and 5.6; RFC 6750 section 3). */

export interface Challenge {
  /** In lower case, such as "bearer". */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** A token, then either `=` and a value (a parameter), or not (a scheme, or a token68 that no scheme here uses). */
const TOKEN = /[\s,]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)/y;
const VALUE = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/y;

/**
 * Reads all challenges of one or several header lines. Realms contain commas, services contain spaces, both in quoted
 * strings. Reading ends at anything but a challenge; those before it count.
 */
export function parseChallenges(lines: readonly string[]): Challenge[] {
  return lines.flatMap(parseLine);
}

function parseLine(line: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let position = 0;
  const match = (pattern: RegExp) => {
    pattern.lastIndex = position;
    const found = pattern.exec(line);
    if (found !== null) position = pattern.lastIndex;
    return found;
  };
  for (;;) {
    const token = match(TOKEN)?.[1]?.toLowerCase();
    if (token === undefined) return challenges;
    const value = match(VALUE);
    if (value === null) {
      challenges.push({ scheme: token, parameters: new Map() });
      continue;
    }
    const text = value[1]?.replace(/\\(.)/g, "$1") ?? value[2] ?? "";
    const parameters = challenges.at(-1)?.parameters;
    // The first of two equal names counts, so that nobody can append another realm.
    if (parameters !== undefined && !parameters.has(token)) parameters.set(token, text);
  }
}
