/** libipsec-mb, opened: a manager of its own for this thread. */
import { functionAt, type NativeFunction, NativeLibrary } from "../platform/index.ts";
import { HASH_BYTES, type HashAlgorithm } from "./message-queue.ts";
import { LAYOUTS, type MultiBufferLayout } from "./multi-buffer-layout.ts";
import { addressOf, alignedMemory, putAddress, splitAddressOf, WORD_BYTES, wordsOf } from "./native-address.ts";

/** IMB_MAX_BURST_SIZE: jobs that are handed over in one call. */
export const BURST_JOBS = 128;
const POINTER_BYTES = 8;

/** Values of intel-ipsec-mb.h that all known versions share. */
const STATUS_COMPLETED = 3;
const CIPHER_NULL = 3;
const DIRECTION_ENCRYPT = 1;
const ORDER_HASH_FIRST = 2;
const HASH_NUMBER: Readonly<Record<HashAlgorithm, number>> = { sha256: 15, sha512: 17 };
/** burst_fn_t. */
const BURST_FUNCTION = "uint32_t (void *manager, uint32_t count, void *jobs)";

/**
 * A manager (struct IMB_MGR) in memory of ours, with its queue of jobs. Each burst is flushed before {@link run} returns, so
 * the queue is empty between bursts, and a burst's jobs are always the first ones of the queue.
 */
export class MultiBufferManager {
  /** Version and kind of machine code: `libipsec-mb 1.3.0, AVX-512`. */
  readonly name: string;
  /** The manager's memory, the first job of the queue in it, and how far it is from job to job; all in words. */
  readonly words: Uint32Array;
  readonly firstJobWord: number;
  readonly jobWords: number;
  /** Where a job has the addresses of its message and of its digest, in words. */
  readonly sourceWord: number;
  readonly tagWord: number;
  readonly #layout: MultiBufferLayout;
  readonly #manager: Buffer;
  readonly #address: bigint;
  readonly #pointers = alignedMemory(BURST_JOBS * POINTER_BYTES);
  readonly #getNextBurst: NativeFunction;
  readonly #submitBurst: NativeFunction;
  readonly #flushBurst: NativeFunction;
  readonly #suiteIds = new Map<HashAlgorithm, readonly number[]>();

  /** @throws Error for a library that does not behave as the layout says */
  constructor(library: NativeLibrary, layout: MultiBufferLayout) {
    const { manager, job } = layout;
    this.#layout = layout;
    this.#manager = alignedMemory(Number(library.declare("size_t imb_get_mb_mgr_size(void)")()));
    this.#address = addressOf(this.#manager);
    this.words = wordsOf(this.#manager);
    this.firstJobWord = manager.jobs / WORD_BYTES;
    this.jobWords = job.sizeBytes / WORD_BYTES;
    this.sourceWord = job.source / WORD_BYTES;
    this.tagWord = job.tag / WORD_BYTES;
    const setPointers = library.declare(
      "void *imb_set_pointers_mb_mgr(void *memory, uint64_t flags, unsigned int reset)",
    );
    if (setPointers(this.#manager, 0, 1) === null) throw new Error("it has no code for this processor");
    library.declare("void init_mb_mgr_auto(void *manager, void *architecture)")(this.#manager, null);
    const architecture = layout.architectures.get(this.#manager.readUInt32LE(manager.usedArchitecture));
    if (architecture === undefined) throw new Error("this processor has neither AVX2 nor AVX-512");
    this.name = `libipsec-mb ${layout.version}, ${architecture}`;
    this.#getNextBurst = this.#functionAt(manager.getNextBurst, BURST_FUNCTION);
    this.#submitBurst = this.#functionAt(manager.submitBurst, BURST_FUNCTION);
    this.#flushBurst = this.#functionAt(manager.flushBurst, BURST_FUNCTION);
    this.#findSuiteIds();
    this.#rewindQueue();
  }

  /**
   * Hashes the messages of the first `count` jobs, whose source and tag the caller has put in.
   * @throws Error when the library refuses
   */
  run(algorithm: HashAlgorithm, messageBytes: number, count: number): void {
    const given = this.#getNextBurst(this.#manager, count, this.#pointers);
    if (given !== count || this.#wordOfPointer(0) !== this.firstJobWord) throw misbehaves("its queue is not empty");
    this.#runGiven(algorithm, messageBytes, count);
  }

  /** Runs the jobs that {@link #pointers} has. */
  #runGiven(algorithm: HashAlgorithm, messageBytes: number, count: number): void {
    const jobs = Array.from({ length: count }, (_, index) => this.#wordOfPointer(index));
    for (const word of jobs) this.#describe(word, algorithm, messageBytes);
    const submitted = Number(this.#submitBurst(this.#manager, count, this.#pointers));
    const flushed = Number(this.#flushBurst(this.#manager, BURST_JOBS, this.#pointers));
    const status = this.#layout.job.status / WORD_BYTES;
    const areDone = jobs.every((word) => this.words[word + status] === STATUS_COMPLETED);
    if (submitted + flushed !== count || !areDone) throw misbehaves("it did not do all jobs");
  }

  /** Everything but the addresses. */
  #describe(word: number, algorithm: HashAlgorithm, messageBytes: number): void {
    const { words } = this;
    const { job } = this.#layout;
    const put = (offset: number, value: number) => {
      words[word + offset / WORD_BYTES] = value;
    };
    put(job.hashStart, 0);
    put(job.hashStart + WORD_BYTES, 0);
    put(job.messageBytes, messageBytes);
    put(job.messageBytes + WORD_BYTES, 0);
    put(job.tagBytes, HASH_BYTES[algorithm]);
    put(job.tagBytes + WORD_BYTES, 0);
    put(job.status, 0);
    put(job.cipherMode, CIPHER_NULL);
    put(job.direction, DIRECTION_ENCRYPT);
    put(job.hashAlgorithm, HASH_NUMBER[algorithm]);
    put(job.chainOrder, ORDER_HASH_FIRST);
    const suiteId = this.#suiteIds.get(algorithm);
    if (suiteId !== undefined && job.suiteId !== undefined) words.set(suiteId, word + job.suiteId / WORD_BYTES);
  }

  /**
   * The library's own tests at its start leave the queue somewhere in its middle; it begins anew when it was used and has
   * become empty. This is also the test that the queue is where the layout says.
   */
  #rewindQueue(): void {
    if (this.#getNextBurst(this.#manager, 1, this.#pointers) !== 1) throw misbehaves("it gives no job");
    const word = this.#wordOfPointer(0);
    const [message, digest] = [Buffer.alloc(64), Buffer.alloc(64)];
    putAddress(this.words, word + this.sourceWord, splitAddressOf(message), 0);
    putAddress(this.words, word + this.tagWord, splitAddressOf(digest), 0);
    this.#runGiven("sha512", message.length, 1);
    const given = this.#getNextBurst(this.#manager, BURST_JOBS, this.#pointers);
    const follow = Array.from({ length: BURST_JOBS }, (_, index) => index).every(
      (index) => this.#wordOfPointer(index) === this.firstJobWord + index * this.jobWords,
    );
    if (given !== BURST_JOBS || !follow) throw misbehaves("its jobs are laid out otherwise");
  }

  /** The suite of an algorithm, which later versions want in each job. */
  #findSuiteIds(): void {
    const { job, manager } = this.#layout;
    if (manager.setSuiteId === undefined || job.suiteId === undefined) return;
    const setSuiteId = this.#functionAt(manager.setSuiteId, "void (void *manager, void *job)");
    const start = this.firstJobWord + job.suiteId / WORD_BYTES;
    for (const algorithm of ["sha256", "sha512"] as const) {
      this.#describe(this.firstJobWord, algorithm, 1);
      setSuiteId(this.#manager, this.#manager.subarray(manager.jobs));
      this.#suiteIds.set(algorithm, [...this.words.subarray(start, start + 2)]);
    }
  }

  #functionAt(offset: number, declaration: string): NativeFunction {
    return functionAt(this.#manager.readBigUInt64LE(offset), declaration);
  }

  /** Where a job that the library has named is. @throws Error unless it is in the manager's memory */
  #wordOfPointer(index: number): number {
    const offset = Number(this.#pointers.readBigUInt64LE(index * POINTER_BYTES) - this.#address);
    const isInside =
      offset >= 0 && offset % WORD_BYTES === 0 && offset + this.#layout.job.sizeBytes <= this.#manager.length;
    if (!isInside) throw misbehaves("a job is not in its memory");
    return offset / WORD_BYTES;
  }
}

function misbehaves(how: string): Error {
  return new Error(`Cannot hash by libipsec-mb: ${how}`);
}

/**
 * Opens the library.
 * @param directories where it is looked for; the system's folders if absent
 * @returns why not, where it is not installed or not known
 * @throws Error when it is known and cannot be used
 */
export function openMultiBuffer(directories?: readonly string[]): MultiBufferManager | string {
  let reason = "libIPSec_MB.so is not installed";
  for (const fileName of new Set(LAYOUTS.map((layout) => layout.fileName))) {
    const library = NativeLibrary.open(fileName, directories);
    if (library === undefined) continue;
    const version = String(library.declare("const char *imb_get_version_str(void)")());
    const layout = LAYOUTS.find((known) => known.fileName === fileName && known.version === version);
    if (layout !== undefined) return new MultiBufferManager(library, layout);
    reason = `${fileName} is of version ${version}, which sealroot does not know`;
  }
  return reason;
}
