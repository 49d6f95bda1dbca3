/** The boot loader, where the firmware looks for it. */
import { fallbackLoaderPath, isFallbackLoader, isInstalledLoader } from "../../bootloader/index.ts";
import { findSection, parsePe, type SystemdComponent, systemdComponentOf } from "../../pe/index.ts";
import type { LinkDraft } from "../report/link.ts";
import type { ChainProgram } from "./check-uki.ts";
import type { EspFiles } from "./esp-files.ts";
import type { FirmwareKeys } from "./firmware-keys.ts";
import { checkProgram } from "./program-signature.ts";

export interface CheckedLoader {
  readonly programs: readonly ChainProgram[];
  /** Of the one that the firmware starts unasked; undefined for another loader. */
  readonly component: SystemdComponent | undefined;
  /** What the firmware starts unasked, if that is a UKI and no loader. */
  readonly uki: ChainProgram | undefined;
}

export async function checkLoaders(
  newLink: (subject: string) => LinkDraft,
  esp: EspFiles,
  keys: FirmwareKeys,
): Promise<CheckedLoader> {
  const found = esp.files.map(({ path }) => path);
  const paths = [...found.filter(isFallbackLoader), ...found.filter(isInstalledLoader)];
  const [first] = paths;
  if (first === undefined) {
    newLink("the boot loader").broken("the ESP has none", {
      path: "EFI/BOOT",
      expected: fallbackLoaderPath("x64"),
      found: "nothing",
      remedy: "install the loader of the image: bootctl install, or sealroot install to-disk on another disk",
    });
    return { programs: [], component: undefined, uki: undefined };
  }
  const programs: ChainProgram[] = [];
  let component: SystemdComponent | undefined;
  let uki: ChainProgram | undefined;
  for (const path of paths) {
    const draft = newLink(path);
    const bytes = await draft.attempt(() => esp.read(path), { path, remedy: "write the file again" });
    if (bytes === undefined) continue;
    programs.push({ what: "the boot loader", path, bytes });
    await checkProgram(draft, bytes, "the boot loader", path, keys);
    const systemd = orUndefined(() => systemdComponentOf(parsePe(bytes)));
    if (path === first) component = systemd;
    if (orUndefined(() => findSection(parsePe(bytes), ".linux")) !== undefined) {
      draft.fact("it is a UKI: no loader comes before it");
      if (path === first) uki = { what: "the UKI", path, bytes };
    } else if (systemd === undefined)
      draft.find("unchecked", "it is not systemd-boot, so what it starts is not known", { path });
    else draft.fact(`${systemd.component} ${systemd.version}`);
  }
  return { programs, component, uki };
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
