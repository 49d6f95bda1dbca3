/** A parsed regular expression of a file_contexts line. */
import type { ByteSet } from "./byte-set.ts";

export type RegexNode =
  | { readonly type: "set"; readonly set: ByteSet }
  | { readonly type: "sequence"; readonly parts: readonly RegexNode[] }
  | { readonly type: "choice"; readonly options: readonly RegexNode[] }
  /** `max` is Infinity for no limit. */
  | { readonly type: "repeat"; readonly part: RegexNode; readonly min: number; readonly max: number }
  /** `^` */
  | { readonly type: "start" }
  /** `$`: never matches, since the letter of the file type follows whatever the expression matches. */
  | { readonly type: "end" };
