/** What the parser of tar streams finds, and who is told. */
import type { TarEntry } from "./entry.ts";

/** Where the body of an entry is; for a file with holes, its data. */
export type TarBody =
  /** Bytes that were also given to `inline`: a body of up to `inlineMaxBytes`, or none. The view may be kept. */
  | { readonly type: "inline"; readonly bytes: Uint8Array }
  /** `sizeBytes` of them follow through `body`. */
  | { readonly type: "streamed" }
  /** It was inserted by `TarParser.pushExternal`. */
  | { readonly type: "external"; readonly reference: string };

/** Receives what the parser finds, in stream order. Views are valid only during the call, unless stated otherwise. */
export interface TarVisitor {
  /** Bytes of the stream outside streamed bodies: headers, small bodies, padding, end and what follows it. */
  inline(bytes: Uint8Array): void;
  /** The next entry; called as soon as the place of its body is known. */
  entry(entry: TarEntry, body: TarBody): void;
  /** The next part of the last entry's streamed body. */
  body(bytes: Uint8Array): void;
  /** A PAX global header, which is kept but not applied. */
  globalHeader?(): void;
}
