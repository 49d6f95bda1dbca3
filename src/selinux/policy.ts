/** A parsed policy: from path and kind to label. */
import { type ByteString, bytesOf } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { Automaton } from "./automaton.ts";
import { anyByte, setOfBytes } from "./byte-set.ts";
import { type ContextRule, type PolicyFile, parseFileContexts, parseSubstitutions } from "./file-contexts.ts";
import { lookAroundRegex } from "./look-around.ts";
import { NeedsLookAround, parseRegex } from "./regex-parser.ts";
import { RuleMatcher } from "./rule-matcher.ts";

/** Letters of the file types in file_contexts, by the kinds of nodes. */
const TYPE_LETTERS = {
  file: "-",
  directory: "d",
  symlink: "l",
  "character-device": "c",
  "block-device": "b",
  fifo: "p",
  socket: "s",
} as const;

export type LabelledKind = keyof typeof TYPE_LETTERS;

/** The text files of a policy. Within each list, later files take precedence. */
export interface PolicyFiles {
  readonly contexts: readonly PolicyFile[];
  readonly substitutions: readonly PolicyFile[];
}

/**
 * Parses a policy's files.
 * @throws SealrootError `corrupt` or `unsupported`, naming file and line
 */
export function parseSelinuxPolicy(files: PolicyFiles): SelinuxPolicy {
  const rules = files.contexts.flatMap(parseFileContexts);
  return new SelinuxPolicy(rules, new Map(files.substitutions.flatMap(parseSubstitutions)));
}

export class SelinuxPolicy {
  readonly #matcher: RuleMatcher;
  /** Rules with look-around, the last one first. */
  readonly #lookAround: { readonly rule: number; readonly regex: RegExp }[] = [];
  readonly #labels: readonly (Uint8Array | undefined)[];
  readonly #substitutions: ReadonlyMap<ByteString, ByteString>;

  constructor(rules: readonly ContextRule[], substitutions: ReadonlyMap<ByteString, ByteString>) {
    const automaton = new Automaton();
    rules.forEach((rule, index) => {
      this.#addRule(automaton, rule, index);
    });
    this.#matcher = new RuleMatcher(automaton);
    const labels = new Map<ByteString, Uint8Array>();
    for (const { context } of rules) {
      if (context !== undefined && !labels.has(context)) labels.set(context, bytesOf(context));
    }
    this.#labels = rules.map(({ context }) => (context === undefined ? undefined : labels.get(context)));
    this.#substitutions = substitutions;
  }

  /**
   * The path that rules are tried against in place of this one. Only an exact hit counts; the caller continues below
   * the result, so that it applies to everything under an alias (spec/oci.md 6).
   */
  substitute(path: ByteString): ByteString {
    return this.#substitutions.get(path) ?? path;
  }

  /** The label of a file, without a final NUL; the last rule that matches decides. Equal labels are one array. */
  labelOf(path: ByteString, kind: LabelledKind): Uint8Array | undefined {
    const key = `${path}${TYPE_LETTERS[kind]}` as ByteString;
    const last = this.#matcher.lastMatch(key);
    const other = this.#lookAround.find(({ rule, regex }) => rule < last || regex.test(key));
    return this.#labels[Math.max(last, other?.rule ?? -1)];
  }

  #addRule(automaton: Automaton, rule: ContextRule, index: number): void {
    try {
      const end = rule.typeLetter === undefined ? anyByte() : setOfBytes(rule.typeLetter as ByteString);
      automaton.addRule(index, parseRegex(rule.regex), end);
    } catch (error) {
      if (error instanceof NeedsLookAround) {
        atRule(rule, () =>
          this.#lookAround.unshift({ rule: index, regex: lookAroundRegex(rule.regex, rule.typeLetter ?? ".") }),
        );
      } else {
        atRule(rule, () => {
          throw error;
        });
      }
    }
  }
}

function atRule(rule: ContextRule, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    const { path, line } = rule;
    throw new SealrootError(error.code, `Cannot parse ${path}: line ${line}: ${error.message}`, { path, line });
  }
}
