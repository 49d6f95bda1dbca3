/** The argument that names the root image: `composefs=` and `composefs.digest=` (spec/host-boot.md 4). */
import { SealrootError } from "../errors/index.ts";
import type { CommandLine, KernelArgument } from "./command-line.ts";

/** Which image is the root, and how strictly. */
export interface ComposefsArgument {
  /** Lower-case hex of the image's fs-verity digest. */
  readonly id: string;
  readonly algorithm: "sha256" | "sha512";
  /** True for the form with `?`: an image without fs-verity is accepted. */
  readonly verityOptional: boolean;
  /** The EROFS format stated by the self-describing form; undefined in the plain form. */
  readonly formatVersion: 1 | 2 | undefined;
}

const PLAIN_KEY = "composefs";
const DIGEST_KEY = "composefs.digest";
/** `v1-sha512-12:<hex>`: format, hash, log2 of the block size. */
const DIGEST_VALUE = /^v([12])-(sha256|sha512)-12:([0-9a-fA-F]*)$/;
const HEX_LENGTH = { sha256: 64, sha512: 128 } as const;

/** The argument as on a command line, in the plain form that bootc reads. */
export function formatComposefsArgument(id: string, verityOptional = false): string {
  return `${PLAIN_KEY}=${verityOptional ? "?" : ""}${id}`;
}

/**
 * The self-describing form, as cfsctl prints it: versions 0 and 1 of EROFS images share `v1`; version 2 has the plain
 * form (spec/repository.md 8).
 */
export function formatDigestArgument(
  id: string,
  algorithm: "sha256" | "sha512",
  version: 0 | 1 | 2,
  verityOptional = false,
): string {
  if (version === 2) return formatComposefsArgument(id, verityOptional);
  return `${DIGEST_KEY}=${verityOptional ? "?" : ""}v1-${algorithm}-12:${id}`;
}

/** The composefs arguments of a command line as written, whatever is wrong with them. */
export function composefsWords(line: CommandLine): string[] {
  return line.arguments.filter(isComposefs).map(({ text }) => text);
}

function isComposefs({ key }: KernelArgument): boolean {
  return key === PLAIN_KEY || key === DIGEST_KEY;
}

/**
 * The composefs arguments of a command line: the images that may be the root, the wanted one first. That is the one of
 * `composefs.digest=v1-…` wherever it is, otherwise the first: the deployment, its state and its UKI are named after it
 * (bootc 1.17, `primary_uki_candidate` in bootc_composefs/boot.rs).
 *
 * At most one of each form, as bootc writes them: `composefs.digest=` names an image of version 1 and `composefs=` the
 * one of version 2 for older readers (spec/upstream-1.17.md 2b). Anything beyond these two is refused, even if it is
 * equal: the host of a virtual machine can append to a signed command line (spec/boot-chain.md I.1), so neither "first
 * wins" nor "last wins" is safe against every reader.
 *
 * @returns none, one or two
 * @throws SealrootError `untrusted` for two of one form, `conflict` for two that differ in `?` or in their hash,
 *   `corrupt` for a malformed one, `unsupported` for a digest in another format
 */
export function findComposefsArguments(line: CommandLine): ComposefsArgument[] {
  const found = line.arguments.filter(isComposefs);
  for (const key of [DIGEST_KEY, PLAIN_KEY]) {
    const same = found.filter((argument) => argument.key === key);
    if (same.length > 1) {
      throw new SealrootError(
        "untrusted",
        `Cannot choose the root image: ${same.length} times ${key}= on the kernel command line, at most 1 expected`,
        { actual: composefsWords(line).join(" ") },
      );
    }
  }
  const parsed = found.map((argument) => (argument.key === PLAIN_KEY ? parsePlain(argument) : parseDigest(argument)));
  const [first, second] = parsed;
  if (first === undefined || second === undefined) return parsed;
  const difference =
    first.verityOptional !== second.verityOptional
      ? 'only one of the two composefs arguments has "?"'
      : first.algorithm !== second.algorithm
        ? "the two composefs arguments have different hashes"
        : undefined;
  if (difference === undefined) return second.formatVersion === 1 ? [second, first] : parsed;
  throw new SealrootError("conflict", `Cannot choose the root image: ${difference}`, {
    actual: composefsWords(line).join(" "),
  });
}

function parsePlain(argument: KernelArgument): ComposefsArgument {
  const { verityOptional, rest } = splitMark(argument.value ?? "");
  const algorithm = rest.length === HEX_LENGTH.sha256 ? "sha256" : "sha512";
  return { id: checkedId(rest, algorithm, argument), algorithm, verityOptional, formatVersion: undefined };
}

function parseDigest(argument: KernelArgument): ComposefsArgument {
  const { verityOptional, rest } = splitMark(argument.value ?? "");
  const match = DIGEST_VALUE.exec(rest);
  if (match === null) {
    throw new SealrootError(
      "unsupported",
      `Cannot read the kernel argument "${argument.text}": unknown digest format`,
      {
        expected: "composefs.digest=v1-sha512-12:HEX",
      },
    );
  }
  const algorithm = match[2] === "sha256" ? "sha256" : "sha512";
  const id = checkedId(match[3] ?? "", algorithm, argument);
  return { id, algorithm, verityOptional, formatVersion: match[1] === "1" ? 1 : 2 };
}

function splitMark(value: string): { verityOptional: boolean; rest: string } {
  return value.startsWith("?")
    ? { verityOptional: true, rest: value.slice(1) }
    : { verityOptional: false, rest: value };
}

function checkedId(hex: string, algorithm: "sha256" | "sha512", argument: KernelArgument): string {
  if (hex.length !== HEX_LENGTH[algorithm] || !/^[0-9a-fA-F]+$/.test(hex)) {
    throw new SealrootError(
      "corrupt",
      `Cannot read the kernel argument "${argument.text}": a digest of 64 or 128 hex digits is expected`,
    );
  }
  return hex.toLowerCase();
}
