/** Lines on the console after which a boot leads nowhere: waiting longer would only end in a time-out. */
import type { ErrorCode } from "../errors/index.ts";
import type { ConsoleLog } from "./console.ts";
import { ConsoleSearch } from "./console-search.ts";

/** Why a boot ended before the system was up. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly state: string;
  readonly hint?: string;
}

interface RefusalSign {
  readonly pattern: RegExp;
  readonly refusal: (line: string) => Refusal;
}

const SIGNATURE_HINT = "seal the image with the keys that are enrolled here, or enrol those it was sealed with";

function refusedByFirmware(line: string): Refusal {
  return { code: "untrusted", state: `the firmware refused it: ${line}`, hint: SIGNATURE_HINT };
}

/**
 * Firmware loses characters of long lines on a busy machine, so the patterns rely on few words. The wording is that of
 * edk2 (BdsDxe), systemd-boot (`Error loading PATH: Access denied`), our boot program and Linux (spec/boot-chain.md C).
 */
const SIGNS: readonly RefusalSign[] = [
  {
    // With Secure Boot on, the firmware's own shell is refused too; that only means that nothing on the disk was
    // started.
    pattern: /failed to (?:load|start) Boot\w+ (?!"EFI Internal Shell")[^\n]*(?:Access Denied|Security Violation)/i,
    refusal: refusedByFirmware,
  },
  {
    // systemd-boot, for any reason: with little memory a UKI cannot be loaded, which is not about signatures.
    pattern: /Error loading [^\n]*\n/,
    refusal: (line) =>
      /Access denied/i.test(line)
        ? refusedByFirmware(line)
        : { code: "failed", state: `its boot loader could not load the system: ${line}` },
  },
  {
    pattern: /No bootable option or device was found|failed to start Boot\w+ "EFI Internal Shell"/,
    refusal: () => ({ code: "failed", state: "the firmware found nothing on the disk that it could start" }),
  },
  {
    pattern: /sealroot: Stopped: [^\n]*/,
    refusal: () => ({ code: "untrusted", state: "its boot program refused the root" }),
  },
  {
    pattern: /Kernel panic - not syncing: [^\n]*/,
    refusal: (line) => ({ code: "failed", state: `its kernel stopped: ${line}` }),
  },
];

/** Searches a growing console; each part is searched once. */
export class RefusalSearch {
  readonly #searches: readonly { readonly sign: RefusalSign; readonly search: ConsoleSearch }[];

  constructor(console: ConsoleLog) {
    this.#searches = SIGNS.map((sign) => ({ sign, search: new ConsoleSearch(console, sign.pattern) }));
  }

  /** The first sign in what was printed since the last call. */
  find(): Refusal | undefined {
    for (const { sign, search } of this.#searches) {
      const line = search.find();
      if (line !== undefined) return sign.refusal(line.trim());
    }
    return undefined;
  }
}
