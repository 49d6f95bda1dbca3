/**
 * The permit: a file of the signed initramfs that says which images may be the root (spec/upstream-1.17.md 2b).
 *
 * It holds the unchanged composefs arguments of the sealed command line. So anything that can append to the command
 * line at boot (the host of a virtual machine, an add-on) can choose only among these images.
 */
import { CommandLine } from "../bls/command-line.ts";
import { type ComposefsArgument, composefsWords, findComposefsArguments } from "../bls/composefs-argument.ts";
import { SealrootError } from "../errors/index.ts";

/**
 * The permit of an initramfs that is a file of the image: it is inside the image that would have to be named, and
 * nothing vouches for it anyway. Any image may be the root then, on the word of the command line.
 */
export const UNSEALED_PERMIT = "unsealed\n";

/** The permit for a sealed command line: its composefs arguments, one per line. */
export function formatPermit(line: CommandLine): string {
  return composefsWords(line)
    .map((word) => `${word}\n`)
    .join("");
}

/**
 * The image that a command line chooses, among those that are permitted.
 *
 * It is the first one named, whatever is missing on the disk: a second one is for readers that know only `composefs=`.
 * Falling back to it would let anyone who can remove the first image choose between the two.
 *
 * @param permit the text of the permit, or {@link UNSEALED_PERMIT}; undefined if the initramfs has none, which is never
 *   made
 * @returns with `verityOptional` only if the permit says so too, or nothing is sealed
 * @throws SealrootError `untrusted` when the command line names no image, one that is not permitted, or drops fs-verity
 *   where the permit requires it; as {@link findComposefsArguments} for arguments that contradict each other
 */
export function chooseImage(line: CommandLine, permit: string | undefined): ComposefsArgument {
  const named = findComposefsArguments(line);
  const [first] = named;
  if (first === undefined) {
    throw new SealrootError("untrusted", "Cannot choose the root image: no composefs= on the kernel command line", {
      expected: "composefs=DIGEST in the sealed command line",
      actual: line.toString(),
    });
  }
  if (permit === UNSEALED_PERMIT) return first;
  const permitLine = CommandLine.parse(permit ?? "");
  const permitted = findComposefsArguments(permitLine);
  if (permitted.length === 0) {
    throw new SealrootError(
      "untrusted",
      "Cannot choose the root image: the initramfs does not say which it may mount",
      {
        hint: "seal the image again",
      },
    );
  }
  for (const image of named) {
    if (permitted.some((one) => one.id === image.id && one.algorithm === image.algorithm)) continue;
    throw new SealrootError(
      "untrusted",
      "Cannot choose the root image: the kernel command line names one that the sealed initramfs does not permit",
      { expected: permitted.map(describe).join(" or "), actual: describe(image) },
    );
  }
  const mayBeOptional = permitted.some((one) => one.id === first.id && one.verityOptional);
  if (first.verityOptional && !mayBeOptional) {
    throw new SealrootError(
      "untrusted",
      "Cannot choose the root image: the kernel command line drops fs-verity, the sealed initramfs requires it",
      { expected: composefsWords(permitLine).join(" "), actual: composefsWords(line).join(" ") },
    );
  }
  return first;
}

function describe({ algorithm, id }: ComposefsArgument): string {
  return `${algorithm}:${id}`;
}
