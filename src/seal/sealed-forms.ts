/** Which images a sealed command line names, and in which form (spec/upstream-1.17.md 1 and 2b; docs/formats.md). */
import { formatComposefsArgument, formatDigestArgument } from "../bls/index.ts";
import { SEAL_ALGORITHM } from "./image-id.ts";

/**
 * `bare`: `composefs=` with the image of version 1, which every bootc from 1.16.4 on reads. The others are those of
 * `bootc container ukify --erofs-version`: both forms, only the image of version 2, only `composefs.digest=`.
 */
export type SealedForm = "bare" | "v1" | "v2" | "v1-only";

export interface NamedImage {
  /** Hex fs-verity SHA-512 of the bootable EROFS image. */
  readonly id: string;
  readonly version: 1 | 2;
  /** The argument of the kernel command line. */
  readonly argument: string;
}

/** The versions of the images that are named, the one that the deployment is named after first. */
const VERSIONS: Readonly<Record<SealedForm, readonly (1 | 2)[]>> = {
  bare: [1],
  v1: [1, 2],
  v2: [2],
  "v1-only": [1],
};

/**
 * @param makeId the id of the image in a version
 * @returns at least one, the one that the deployment is named after first
 */
export function imagesToName(
  form: SealedForm,
  verityOptional: boolean,
  makeId: (version: 1 | 2) => string,
): [NamedImage, ...NamedImage[]] {
  const [first = 1, ...others] = VERSIONS[form];
  const name = (version: 1 | 2): NamedImage => {
    const id = makeId(version);
    const isBare = form === "bare" || version === 2;
    const argument = isBare
      ? formatComposefsArgument(id, verityOptional)
      : formatDigestArgument(id, SEAL_ALGORITHM, version, verityOptional);
    return { id, version, argument };
  };
  return [name(first), ...others.map(name)];
}
