/** What the parser of tar streams finds, and who is told of it. */
import type { TarEntry } from "./entry.ts";

/** Where the body of an entry is; of a file with holes, its data. */
export type TarBody =
  /** Bytes that were also given to `inline`: a body of up to `inlineMaxBytes`, or none. The view may be kept. */
  | { readonly type: "inline"; readonly bytes: Uint8Array }
  /** `sizeBytes` of them follow through `body`. */
  | { readonly type: "streamed" }
  /** It was put in by `TarParser.pushExternal`. */
  | { readonly type: "external"; readonly reference: string };

/** Receives what the parser finds, in stream order. Views are valid during the call only, unless said otherwise. */
export interface TarVisitor {
  /** Bytes that belong to the stream but to no streamed body: headers, small bodies, padding, end and what follows it. */
  inline(bytes: Uint8Array): void;
  /** The next entry; called as soon as the place of its body is known. */
  entry(entry: TarEntry, body: TarBody): void;
  /** The next part of the last entry's streamed body. */
  body(bytes: Uint8Array): void;
  /** A PAX global header, which is kept and not applied. */
  globalHeader?(): void;
}
