/** The recipes of the starter's justfile, for machines that have no just(1): each is plain lines of shell. */
import { readFileSync } from "node:fs";

/** Names to the commands of each. */
export function recipesOf(path: string): Map<string, readonly string[]> {
  const recipes = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const name = /^([a-z_][a-z-]*):$/.exec(line)?.[1];
    if (name !== undefined) {
      current = [];
      recipes.set(name, current);
    } else if (line.startsWith("    ")) current.push(line.trim().replace(/^@/, ""));
  }
  return recipes;
}
