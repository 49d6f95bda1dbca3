/** What a word on the command line names, and how it is verified. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { SealrootError } from "../errors/index.ts";
import { verifyDisk } from "./disk/verify-disk.ts";
import type { VerifyOptions } from "./policy/options.ts";
import type { VerifyReport } from "./report/report.ts";

/** Enough to tell files apart: the header of a GPT on 4 KiB sectors is in it. */
const HEAD_BYTES = 8192;

/**
 * Verifies a disk file or device.
 *
 * @throws SealrootError `not-found` when nothing has that name, `unsupported` for a file that is none of these
 */
export async function verify(given: string, options: VerifyOptions): Promise<VerifyReport> {
  const stat = statSync(given, { throwIfNoEntry: false });
  if (stat?.isBlockDevice() === true) return await verifyDisk(given, options);
  if (stat?.isFile() === true) {
    const head = headOf(given);
    const textAt = (offset: number, length: number) => head.toString("latin1", offset, offset + length);
    if (textAt(512, 8) === "EFI PART" || textAt(4096, 8) === "EFI PART" || textAt(0, 4) === "QFI\xfb") {
      return await verifyDisk(given, options);
    }
  }
  throw new SealrootError(
    stat === undefined ? "not-found" : "unsupported",
    `Cannot verify ${given}: it is not a disk`,
    {
      path: given,
    },
  );
}

function headOf(path: string): Buffer {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, readSync(fd, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}
