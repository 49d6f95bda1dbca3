/**
 * tar-diff, versions 1 and 2: eight bytes of magic, then in a zstd stream operations of a byte, a size and data, which in their
 * order make a tar out of their own bytes and of files of an older tree (github.com/containers/tar-diff, file-format.md; the
 * second version and its operation 5: pkg/protocol).
 */
import { corrupt } from "../errors/index.ts";
import { decompress } from "../zstd/index.ts";
import { ByteFeed } from "./byte-feed.ts";

export const TAR_DIFF_MEDIA_TYPE = "application/vnd.tar-diff";

/**
 * `data`: the bytes themselves. `open`: the path of a source file, which is read from its start. `copy`: so many bytes of it.
 * `add`: so many bytes of it, each added to one of the data. `seek`: it is read from there on. `patch`: a zstd frame whose
 * dictionary is the whole file.
 */
export type TarDiffKind = (typeof KINDS)[number];

const KINDS = ["data", "open", "copy", "add", "seek", "patch"] as const;
const WITHOUT_DATA: ReadonlySet<TarDiffKind> = new Set(["copy", "seek"]);
const MAGIC = { tardf1: 1, tardf2: 2 } as const;
const MAGIC_BYTES = 8;

export interface TarDiffOperation {
  readonly kind: TarDiffKind;
  /** Of the data, of what is copied, or where is sought to. */
  readonly size: number;
  /** Its pieces, each valid until the next is requested; to be read before the next operation. */
  readonly data: AsyncIterable<Uint8Array>;
  /** Where it begins in the unpacked stream. */
  readonly offset: number;
}

/**
 * Reads the operations one by one. What they mean is not checked, except that they are whole.
 *
 * @param maxBytes of the unpacked stream
 * @throws SealrootError `corrupt`; `unsupported` for a longer stream; what `blob` throws
 */
export async function* readTarDiff(
  blob: AsyncIterable<Uint8Array>,
  { maxBytes }: { readonly maxBytes: number },
): AsyncGenerator<TarDiffOperation> {
  const raw = new ByteFeed(blob);
  try {
    const version = await readVersion(raw);
    const feed = new ByteFeed(decompress(raw.rest(), "zstd", { maxOutputBytes: maxBytes }));
    try {
      for (;;) {
        const { offset } = feed;
        const code = await feed.byte();
        if (code === undefined) return;
        const kind = KINDS[code];
        if (kind === undefined || (kind === "patch" && version === 1)) {
          throw corrupt(`Cannot read the tar-diff: it has the unknown operation ${code}`, { offset });
        }
        const size = await feed.varint();
        const data = WITHOUT_DATA.has(kind) ? nothing() : feed.pieces(size);
        yield { kind, size, data, offset };
        // What was left of it.
        for await (const _ of data);
      }
    } finally {
      await feed.close();
    }
  } finally {
    await raw.close();
  }
}

async function readVersion(raw: ByteFeed): Promise<number> {
  const bytes: number[] = [];
  while (bytes.length < MAGIC_BYTES) {
    const byte = await raw.byte();
    if (byte === undefined) break;
    bytes.push(byte);
  }
  const text = String.fromCharCode(...bytes);
  for (const [name, version] of Object.entries(MAGIC)) if (text === `${name}\n\0`) return version;
  throw corrupt("Cannot read the tar-diff: it does not begin like one", { offset: 0, actual: JSON.stringify(text) });
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
