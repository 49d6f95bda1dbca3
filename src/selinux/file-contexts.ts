/** Lines of file_contexts and of substitution files (file_contexts(5), file_contexts.subs_dist(5); spec/oci.md 6). */
import { isUtf8 } from "node:buffer";
import { type ByteString, byteString } from "../bytes/index.ts";
import { corrupt } from "../errors/index.ts";

/** A text file of the policy; `bytes` undefined if the image does not have it. */
export interface PolicyFile {
  readonly path: string;
  readonly bytes: Uint8Array | undefined;
}

/** One labelling rule. */
export interface ContextRule {
  readonly regex: ByteString;
  /** Letter of the file type, or undefined for all. */
  readonly typeLetter: string | undefined;
  /** Undefined for `<<none>>`: no label. */
  readonly context: ByteString | undefined;
  readonly path: string;
  readonly line: number;
}

const TYPE_LETTERS = "bcdpls-";
const NO_CONTEXT = "<<none>>";
const WHITE_SPACE = /[ \t\v\f\r]+/;

/** The rules of one file in order. */
export function parseFileContexts(file: PolicyFile): ContextRule[] {
  return policyLines(file).map(({ words, line }) => {
    const fail = (reason: string) =>
      corrupt(`Cannot parse ${file.path}: line ${line}: ${reason}`, { path: file.path, line });
    const [regex, second] = words;
    const hasType = second?.startsWith("-") === true;
    const context = words[hasType ? 2 : 1];
    if (regex === undefined || context === undefined) throw fail("a rule without a context");
    if (words.length > (hasType ? 3 : 2)) throw fail("more than expression, type and context");
    const typeLetter = hasType ? second?.slice(1) : undefined;
    if (typeLetter !== undefined && (typeLetter.length !== 1 || !TYPE_LETTERS.includes(typeLetter))) {
      throw fail(`unknown file type ${JSON.stringify(second)}`);
    }
    return { regex, typeLetter, context: context === NO_CONTEXT ? undefined : context, path: file.path, line };
  });
}

/** The substitutions of one file in order: the alias and what it stands for. */
export function parseSubstitutions(file: PolicyFile): [alias: ByteString, original: ByteString][] {
  return policyLines(file).map(({ words, line }) => {
    const [alias, original] = words;
    if (alias === undefined || original === undefined || words.length > 2) {
      throw corrupt(`Cannot parse ${file.path}: line ${line}: not an alias and a path`, { path: file.path, line });
    }
    return [alias, original];
  });
}

/**
 * The policy type named by `/etc/selinux/config`: the first line whose key is SELINUXTYPE in any case. Comments after
 * the value are part of it, as with the reference tool.
 */
export function selinuxTypeOf(config: Uint8Array): ByteString | undefined {
  for (const line of byteString(config).split("\n")) {
    const separator = line.indexOf("=");
    if (separator === -1 || line.slice(0, separator).trim().toUpperCase() !== "SELINUXTYPE") continue;
    return line.slice(separator + 1).trim() as ByteString;
  }
  return undefined;
}

function policyLines(file: PolicyFile): { words: ByteString[]; line: number }[] {
  if (file.bytes === undefined) return [];
  if (!isUtf8(file.bytes)) throw corrupt(`Cannot parse ${file.path}: it is not UTF-8`, { path: file.path });
  return byteString(file.bytes)
    .split("\n")
    .map((text, index) => ({
      words: text.split(WHITE_SPACE).filter((word) => word !== "") as ByteString[],
      line: index + 1,
    }))
    .filter(({ words }) => words[0] !== undefined && !words[0].startsWith("#"));
}
