/** ISA-L's igzip, opened: inflating raw deflate streams (RFC 1951). */
import { type NativeFunction, NativeLibrary } from "../platform/index.ts";
import { type Availability, availabilityOf } from "./availability.ts";
import { IGZIP_VERSIONS, IGZIP_LAYOUT as LAYOUT } from "./igzip-layout.ts";
import { inflatesRightly } from "./igzip-test.ts";
import type { Inflater, InflateStep } from "./inflater.ts";
import { alignedMemory, distanceFrom, putAddress, splitAddressOf } from "./native-address.ts";

/** As little input as this is inflated in this thread: another one costs 20 µs to and fro. */
const AT_ONCE_BYTES = 4096;

/** ISAL_GZIP_NO_HDR: the CRC is computed, but head and tail of a member are left to us. */
const CRC_ALONE = 2;

const LIBRARY = "libisal.so.2";

interface Functions {
  readonly begin: NativeFunction;
  readonly inflate: NativeFunction;
}

/** Makes inflaters; the library is opened and tested at the first call. */
export const igzip = availabilityOf<() => Inflater>(() => openIgzip());

/**
 * @param directories where it is looked for; the system's folders if absent
 * @throws Error for a library that cannot be loaded
 */
export function openIgzip(directories?: readonly string[]): Availability<() => Inflater> {
  const library = NativeLibrary.open(LIBRARY, directories);
  if (library === undefined) return { native: undefined, reason: `${LIBRARY} is not installed` };
  const version = IGZIP_VERSIONS.get(library.fileName);
  if (version === undefined) return { native: undefined, reason: `sealroot does not know ${library.fileName}` };
  const name = `libisal ${version}`;
  const functions = {
    begin: library.declare("void isal_inflate_init(void *state)"),
    inflate: library.declare("int isal_inflate(void *state)"),
  };
  const native = () => new IgzipInflater(functions);
  return inflatesRightly(native()) ? { native, name } : { native: undefined, reason: `${name} inflates wrongly here` };
}

class IgzipInflater implements Inflater {
  readonly #functions: Functions;
  /** struct inflate_state, in memory of ours. */
  readonly #state = alignedMemory(LAYOUT.sizeBytes);
  readonly #words = new Uint32Array(this.#state.buffer, this.#state.byteOffset, LAYOUT.sizeBytes / 4);

  constructor(functions: Functions) {
    this.#functions = functions;
  }

  begin(): void {
    this.#functions.begin(this.#state);
    this.#words[LAYOUT.crcFlag / 4] = CRC_ALONE;
  }

  get crc32(): number {
    return this.#word(LAYOUT.crc);
  }

  get unused(): Uint8Array {
    const bits = this.#word(LAYOUT.readInLength);
    const rest = this.#state.readBigUInt64LE(LAYOUT.readIn) >> BigInt(bits % 8);
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(rest);
    return bytes.subarray(0, Math.floor(bits / 8));
  }

  inflate(input: Uint8Array, output: Uint8Array): InflateStep | Promise<InflateStep> {
    const [from, to] = [splitAddressOf(input), splitAddressOf(output)];
    putAddress(this.#words, LAYOUT.nextIn / 4, from, 0);
    putAddress(this.#words, LAYOUT.nextOut / 4, to, 0);
    this.#words[LAYOUT.availIn / 4] = input.length;
    this.#words[LAYOUT.availOut / 4] = output.length;
    const stepOf = (result: unknown): InflateStep => {
      // The names keep both reachable until here.
      const readBytes = distanceFrom(from, this.#words, LAYOUT.nextIn / 4);
      const writtenBytes = distanceFrom(to, this.#words, LAYOUT.nextOut / 4);
      const isPossible =
        readBytes <= input.length && writtenBytes <= output.length && readBytes >= 0 && writtenBytes >= 0;
      if (!isPossible) throw new Error("Cannot decompress gzip data: igzip has left its buffers");
      if (result !== 0) return { readBytes, writtenBytes, state: "damaged" };
      const hasEnded = this.#word(LAYOUT.blockState) === LAYOUT.blockFinish;
      return { readBytes, writtenBytes, state: hasEnded ? "end" : "more" };
    };
    if (input.length <= AT_ONCE_BYTES) return stepOf(this.#functions.inflate(this.#state));
    return this.#functions.inflate.async(this.#state).then(stepOf);
  }

  #word(offset: number): number {
    return this.#words[offset / 4] ?? 0;
  }
}
