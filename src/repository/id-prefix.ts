/** Ids as people type them: whole, or the first digits that a list has shown. */
import { SealrootError } from "../errors/index.ts";

/** Fewer digits could be a word that was meant as a name. */
const ID_PREFIX_MIN_DIGITS = 4;

/** More are counted and not named. */
const NAMED_MAX = 10;

/**
 * The hex digits of what may be the beginning of an id, in lower case, or undefined when it is something else.
 *
 * @param algorithms that may stand in front, with a colon, as lists show ids
 */
export function idPrefixOf(text: string, algorithms: readonly string[]): string | undefined {
  const [, algorithm, digits = ""] = /^(?:([a-z0-9]+):)?([0-9a-f]+)$/i.exec(text) ?? [];
  const isKnown = algorithm === undefined || algorithms.includes(algorithm);
  return isKnown && digits.length >= ID_PREFIX_MIN_DIGITS ? digits.toLowerCase() : undefined;
}

/**
 * The one candidate, or undefined when there is none.
 *
 * @param name as it was given
 * @param candidates as the person should read them
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
