/** A layer in memory over `/usr`, for a change that lasts until the next boot (spec/host-lifecycle.md 9). */
import { chmodSync, closeSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { UPPER_MODE, WORK_MODE } from "../bootplan/index.ts";
import { asSealrootError, hasErrno } from "../errors/index.ts";
import { attachMount, createMount, withAttached } from "../platform/index.ts";

const USR = "/usr";

/**
 * Mounts it. What it hides stays reachable for those that have it open.
 *
 * @param readOnly nothing can be written either; another mount may make it writable for itself
 * @throws SealrootError `no-access` without root; `unsupported` for a kernel without overlayfs
 */
export function mountUsrOverlay({ readOnly }: { readonly readOnly: boolean }): void {
  const opened: number[] = [];
  try {
    const memory = createMount("tmpfs", { options: [["mode", "0755"]], readOnly: false });
    opened.push(memory);
    const overlay = withAttached(memory, (_, path) => {
      const [upper, work] = [join(path, "upper"), join(path, "work")];
      for (const [directory, mode] of [
        [upper, UPPER_MODE],
        [work, WORK_MODE],
      ] as const) {
        mkdirSync(directory);
        chmodSync(directory, mode);
      }
      return createMount("overlay", {
        options: [
          ["source", "transient"],
          ["lowerdir", USR],
          ["upperdir", upper],
          ["workdir", work],
        ],
        readOnly,
      });
    });
    opened.push(overlay);
    attachMount(overlay, USR);
  } catch (error) {
    const hint = hasErrno(error, "EPERM") ? { hint: "run it as root" } : {};
    throw asSealrootError(error, "Cannot mount an overlay on /usr", { path: USR, ...hint });
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
