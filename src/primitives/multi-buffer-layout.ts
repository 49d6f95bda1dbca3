/**
 * The structures of Intel's Multi-Buffer Crypto library for IPsec, version by version (intel-ipsec-mb.h). Each line was
 * tried with the library that Debian has; a version that is not here is not used.
 */

/** Offsets in bytes. */
export interface MultiBufferLayout {
  /** What imb_get_version_str() returns. */
  readonly version: string;
  readonly fileName: string;
  /** struct IMB_MGR. */
  readonly manager: {
    /** IMB_ARCH: what the functions are made for. */
    readonly usedArchitecture: number;
    readonly getNextBurst: number;
    readonly submitBurst: number;
    readonly flushBurst: number;
    /** Sets a job's suite_id, which later versions go by; undefined where there is none. */
    readonly setSuiteId: number | undefined;
    /** The queue. */
    readonly jobs: number;
  };
  /** struct IMB_JOB. */
  readonly job: {
    readonly sizeBytes: number;
    readonly source: number;
    readonly hashStart: number;
    readonly messageBytes: number;
    readonly tag: number;
    readonly tagBytes: number;
    readonly status: number;
    readonly cipherMode: number;
    readonly direction: number;
    readonly hashAlgorithm: number;
    readonly chainOrder: number;
    /** Two words; undefined where there are none. */
    readonly suiteId: number | undefined;
  };
  /** IMB_ARCH by number; those that hash several messages at once faster than OpenSSL one by one. */
  readonly architectures: ReadonlyMap<number, string>;
}

/** The same in both versions. */
const JOB = {
  ...{ source: 24, hashStart: 56, messageBytes: 64, tag: 88, tagBytes: 96 },
  ...{ status: 128, cipherMode: 132, direction: 136, hashAlgorithm: 140, chainOrder: 144 },
} as const;
/** `submitBurst` is submit_burst_nocheck: the other one judges each job first, and ours are all alike. */
const MANAGER = { usedArchitecture: 56, getNextBurst: 952, submitBurst: 968, flushBurst: 976 } as const;

export const LAYOUTS: readonly MultiBufferLayout[] = [
  {
    // Debian 12.
    version: "1.3.0",
    fileName: "libIPSec_MB.so.1",
    manager: { ...MANAGER, setSuiteId: undefined, jobs: 1024 },
    job: { ...JOB, sizeBytes: 200, suiteId: undefined },
    architectures: new Map([
      [4, "AVX2"],
      [5, "AVX-512"],
    ]),
  },
  {
    // Debian 13.
    version: "2.0.0",
    fileName: "libIPSec_MB.so.2",
    manager: { ...MANAGER, setSuiteId: 1040, jobs: 1112 },
    job: { ...JOB, sizeBytes: 216, suiteId: 200 },
    architectures: new Map([
      [2, "AVX2"],
      [3, "AVX-512"],
    ]),
  },
];
