/** The answer to a command line whose verb does not exist: the nearest one, or that it does not exist yet. */
import { SealrootError } from "../errors/index.ts";
import { COMMANDS } from "./commands.ts";

const HOST = "sealroot upgrade and sealroot switch change the running host";
const TO_DISK = "sealroot install to-disk makes a disk file or writes a device";

/** Verbs of bootc and planned ones of ours, with what to do instead. An entry is removed when its verb exists. */
export const NOT_YET: Readonly<Record<string, string>> = {
  edit: HOST,
  "install to-filesystem": TO_DISK,
  "install to-existing-root": TO_DISK,
  "install finalize": TO_DISK,
  "install reset": TO_DISK,
};

/**
 * The error for words that select no verb.
 * @param words not empty
 * @param groupWords how many of them select a group: 0 or 1
 */
export function unknownVerb(words: readonly string[], groupWords: number): SealrootError {
  const word = words[groupWords] ?? "";
  const help = `sealroot ${[...words.slice(0, groupWords), "--help"].join(" ")}`;
  if (word.startsWith("-")) return optionInPlaceOfVerb(words, groupWords, help);
  const name = words.slice(0, groupWords + 1).join(" ");
  const instead = NOT_YET[name] ?? NOT_YET[words.slice(0, 2).join(" ")];
  if (instead !== undefined) {
    return new SealrootError("unsupported", `Cannot run "${name}": sealroot does not have this verb yet`, {
      hint: instead,
    });
  }
  const near = nearestVerbs(name).map((path) => `sealroot ${path}`);
  const hint = near.length === 0 ? `run: ${help}` : `did you mean ${near.join(" or ")}? ${help} lists what there is`;
  return new SealrootError("usage", `There is no verb "${name}"`, { hint });
}

function optionInPlaceOfVerb(words: readonly string[], groupWords: number, help: string): SealrootError {
  const word = words[groupWords] ?? "";
  const hint = `run: ${help}`;
  const isAlone = groupWords === 0 && words.length === 1;
  const state = isAlone ? `There is no option "${word}"` : `Cannot read "${word}" there: options follow the verb`;
  return new SealrootError("usage", state, { hint });
}

/** More suggestions would be a list, and that is the help. */
const SUGGESTIONS_MAX = 3;

/**
 * The verbs and groups whose name is nearest to `name`, or whose last word is it (`fsck` for `repo fsck`); none when
 * nothing is near.
 */
function nearestVerbs(name: string): string[] {
  const visible = COMMANDS.filter(({ hidden }) => hidden !== true).map(({ path }) => path);
  const named = visible.flatMap((path) => [
    { path: path.join(" "), name: path.join(" ") },
    ...(path.length > 1 ? [{ path: path[0] ?? "", name: path[0] ?? "" }] : []),
    ...(path.length > 1 ? [{ path: path.join(" "), name: path.at(-1) ?? "" }] : []),
  ]);
  // A third of the letters may be wrong; beyond that, everything looks alike.
  const limit = Math.max(1, Math.floor(name.length / 3));
  const distances = named.map((one) => ({ path: one.path, distance: editDistance(name, one.name) }));
  const least = Math.min(...distances.map(({ distance }) => distance));
  if (least > limit) return [];
  const nearest = distances.filter(({ distance }) => distance === least).map(({ path }) => path);
  return [...new Set(nearest)].slice(0, SUGGESTIONS_MAX);
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replaced);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      row.push(least);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
