/** The signed kernel command lines: that of the UKI, and those of its add-ons. */
import { checkCommandLine, checkCommandLineLength, SEALED_LINE_KEYS } from "../bls/index.ts";
import type { EfiArchitecture } from "../pe/index.ts";
import { checkAddon } from "./addon-rule.ts";
import type { UkiAddon } from "./addons.ts";

/**
 * Checks the line of the UKI, of each add-on, and all of them together: systemd-stub appends the add-ons' lines to the
 * UKI's (systemd-stub(7)), and the kernel's limit is for the sum.
 *
 * @param others lines of add-ons that are installed already and stay; only their length counts
 * @throws SealrootError `unsupported` naming file and argument; as checkAddon
 */
export function checkSealedLines(
  uki: { readonly path: string; readonly commandLine: string | undefined; readonly architecture: EfiArchitecture },
  addons: readonly UkiAddon[],
  others: readonly string[] = [],
): void {
  const { architecture } = uki;
  const line = uki.commandLine ?? "";
  checkCommandLine(line, {
    what: `the command line of the UKI ${uki.path}`,
    decidedKeys: SEALED_LINE_KEYS,
    architecture,
  });
  const lines = [line];
  for (const { name, bytes } of addons) {
    const what = `the add-on ${name}`;
    const addonLine = checkAddon(bytes, what, architecture);
    if (addonLine !== "") lines.push(addonLine);
  }
  const what = "the command line of the UKI with its add-ons";
  checkCommandLine(lines.join(" "), { what, decidedKeys: SEALED_LINE_KEYS, architecture });
  checkCommandLineLength([...lines, ...others].join(" "), architecture, what);
}
