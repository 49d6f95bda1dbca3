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
  /** The EROFS format the self-describing form states; undefined in the plain form. */
  readonly formatVersion: 1 | 2 | undefined;
}

const PLAIN_KEY = "composefs";
const DIGEST_KEY = "composefs.digest";
/** `v1-sha512-12:<hex>`: format, hash, log2 of the block size. */
const DIGEST_VALUE = /^v([12])-(sha256|sha512)-12:([0-9a-fA-F]*)$/;
const HEX_LENGTH = { sha256: 64, sha512: 128 } as const;

/** The argument as a command line holds it, in the plain form that bootc reads. */
export function formatComposefsArgument(id: string, verityOptional = false): string {
  return `${PLAIN_KEY}=${verityOptional ? "?" : ""}${id}`;
}

/**
 * The self-describing form, as cfsctl prints it: versions 0 and 1 of EROFS images share `v1`; version 2 has the plain
 * form (spec/repository.md 8).
 */
export function formatDigestArgument(id: string, algorithm: "sha256" | "sha512", version: 0 | 1 | 2): string {
  return version === 2 ? formatComposefsArgument(id) : `${DIGEST_KEY}=v1-${algorithm}-12:${id}`;
}

/**
 * The one composefs argument of a command line.
 *
 * More than one is refused, even if they are equal: the host of a virtual machine can append to a signed command line
 * (spec/boot-chain.md I.1), so neither "first wins" nor "last wins" is safe against every reader.
 *
 * @returns undefined when there is none
 * @throws SealrootError `untrusted` for more than one, `corrupt` for a malformed one, `unsupported` for a digest in
 *   another format
 */
export function findComposefsArgument(line: CommandLine): ComposefsArgument | undefined {
  const found = line.arguments.filter(({ key }) => key === PLAIN_KEY || key === DIGEST_KEY);
  const [argument] = found;
  if (argument === undefined) return undefined;
  if (found.length > 1) {
    throw new SealrootError(
      "untrusted",
      `Cannot choose the root image: ${found.length} composefs arguments on the kernel command line, 1 expected`,
      { actual: found.map(({ text }) => text).join(" ") },
    );
  }
  return argument.key === PLAIN_KEY ? parsePlain(argument) : parseDigest(argument);
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
