/** The way from a partial pull back to an ordinary one (spec/chunked-and-policy.md 1.8). */
import { SealrootError } from "../../errors/index.ts";

/** Thrown when a layer cannot be assembled from parts, but nothing is wrong with it. */
export class PullWhole extends Error {
  /** @param reason for people, such as "the table of contents does not name its tar-split data" */
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.name = "PullWhole";
  }
}

/** A content of the repository does not match a list. */
export class StaleContent extends PullWhole {
  /** The sha256, in hex, that the list has for it. */
  readonly digest: string;

  constructor(digest: string, reason: string, cause?: unknown) {
    super(reason, cause);
    this.name = "StaleContent";
    this.digest = digest;
  }
}

/** What a source throws if it turns out to serve this blob only whole. */
export function asPullWhole(error: unknown): unknown {
  if (!(error instanceof SealrootError) || error.code !== "unsupported") return error;
  return new PullWhole("the source does not serve parts of this blob", error);
}
