/** Whether shim would start a program, by the generations in its section of SBAT (shim, SBAT.md). */
import { parsePe, type SbatLevel, sbatOf, tooOldFor } from "../../pe/index.ts";
import type { LinkDraft } from "../report/link.ts";

/** @param what names it in messages, such as `the UKI` */
export function checkSbatLevel(
  draft: LinkDraft,
  program: Uint8Array,
  what: string,
  path: string,
  level: SbatLevel,
): void {
  try {
    const entries = sbatOf(parsePe(program));
    if (entries === undefined) {
      // (shim, pe.c, verify_sbat_section()).
      draft.find("weaker", `${what} has no section .sbat: shim does not start it, but lets other loaders start it`, {
        path,
      });
      return;
    }
    const old = tooOldFor(entries, level);
    if (old === undefined) {
      draft.fact(`SBAT: ${entries.map(({ component, generation }) => `${component} ${generation}`).join(", ")}`);
      return;
    }
    const { component, generation } = old.entry;
    draft.broken(`the level of SBAT revokes ${what}: its ${component} is too old`, {
      ...{ path, expected: `${component},${old.least} or later`, found: `${component},${generation}` },
      remedy: "upgrade to an image that was sealed after the generation was raised",
    });
  } catch (error) {
    draft.failed(error, "broken", { path, remedy: "seal the image again" });
  }
}
