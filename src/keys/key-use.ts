/** The right to sign one kind of image with a db key. */
import { reasonOf, SealrootError } from "../errors/index.ts";
import { loadNamedCertificate } from "./directory.ts";
import { type SealKind, signedKinds, writeMark } from "./key-marks.ts";

/** The right to sign one kind of image with the key of a directory. */
export interface KeyUse {
  /**
   * Leaves the mark: call after signing something, before it leaves this process.
   * @param warn is called when the mark cannot be written, as in a directory that is mounted read-only
   * @throws SealrootError `conflict` when the other kind was signed meanwhile
   */
  record(warn: (text: string) => void): void;
}

/**
 * Claims the db key of a directory for one kind of image.
 *
 * A UKI that does not require fs-verity boots whatever files the disk has, on every machine that has the key in its db:
 * copied to a machine with strict images of the same key, it would break their seal, and nothing in it could prevent
 * that.
 *
 * @param isShared whether both kinds may be signed with one key nevertheless
 * @throws SealrootError `conflict` when the key has signed images of the other kind; as loadNamedCertificate
 */
export function claimKey(directory: string, kind: SealKind, isShared: boolean): KeyUse {
  const certificate = loadNamedCertificate(directory, "db");
  const refuseOther = () => {
    const hasOther = signedKinds(directory, certificate).some((signed) => signed !== kind);
    if (hasOther && !isShared) throw sharedKey(directory, kind);
  };
  refuseOther();
  return {
    record: (warn) => {
      try {
        if (!signedKinds(directory, certificate).includes(kind)) writeMark(directory, kind, certificate);
      } catch (error) {
        warn(`Cannot mark the key as one for ${kind} images: ${reasonOf(error)}`);
      }
      refuseOther();
    },
  };
}

function sharedKey(directory: string, kind: SealKind): SealrootError {
  const [what, reason] =
    kind === "strict"
      ? [
          "an image that requires fs-verity: the db key has signed images that do not",
          "one of those, copied to a machine with this image, boots whatever files its disk has",
        ]
      : [
          "an image that does not require fs-verity: the db key has signed images that do",
          "a copy of this UKI on a machine with one of those would boot whatever files its disk has",
        ];
  return new SealrootError("conflict", `Cannot sign ${what}, and ${reason}`, {
    path: directory,
    hint: "make separate keys for images without required fs-verity, or add --allow-shared-key",
  });
}
