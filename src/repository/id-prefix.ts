/** Ids as people type them: whole, or the first digits that a list shows. */
import { SealrootError } from "../errors/index.ts";

/** Fewer digits could be a word meant as a name. */
const ID_PREFIX_MIN_DIGITS = 4;

/** More are counted but not listed. */
const NAMED_MAX = 10;

/**
 * The hex digits of a possible beginning of an id, in lower case, or undefined for anything else.
 *
 * @param algorithms that may precede it, with a colon, as in lists
 */
export function idPrefixOf(text: string, algorithms: readonly string[]): string | undefined {
  const [, algorithm, digits = ""] = /^(?:([a-z0-9]+):)?([0-9a-f]+)$/i.exec(text) ?? [];
  const isKnown = algorithm === undefined || algorithms.includes(algorithm);
  return isKnown && digits.length >= ID_PREFIX_MIN_DIGITS ? digits.toLowerCase() : undefined;
}

/**
 * The one candidate, or undefined if there is none.
 *
 * @param name as given
 * @param candidates as shown to the person
 * @throws SealrootError `usage` naming the candidates when there are several
 */
export function onlyCandidate<T extends { readonly shown: string }>(
  name: string,
  candidates: readonly T[],
): T | undefined {
  if (candidates.length < 2) return candidates[0];
  const named = candidates.slice(0, NAMED_MAX).map(({ shown }) => shown);
  const rest = candidates.length - named.length;
  throw new SealrootError("usage", `Cannot tell which one "${name}" is: ${candidates.length} ids begin with it`, {
    actual: [...named, ...(rest === 0 ? [] : [`${rest} more`])].join(", "),
    hint: "give more digits",
  });
}
