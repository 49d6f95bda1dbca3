/** The boot loader, where the firmware looks for it. */
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

/** UEFI 2.10, 3.5.1.1: what is started from a disk for which the firmware has no entry. */
const FALLBACK = /^EFI\/BOOT\/BOOT(?:X64|AA64|RISCV64|LOONGARCH64)\.EFI$/i;
/** Where bootctl puts it a second time, for the firmware's own entry. */
const INSTALLED = /^EFI\/systemd\/systemd-boot[a-z0-9]+\.efi$/i;

export async function checkLoaders(
  newLink: (subject: string) => LinkDraft,
  esp: EspFiles,
  { databases }: FirmwareKeys,
): Promise<CheckedLoader> {
  const at = (place: RegExp) => esp.files.filter(({ path }) => place.test(path)).map(({ path }) => path);
  const paths = [...at(FALLBACK), ...at(INSTALLED)];
  const [first] = paths;
  if (first === undefined) {
    newLink("the boot loader").broken("the ESP has none", {
      path: "EFI/BOOT",
      expected: "EFI/BOOT/BOOTX64.EFI",
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
    await checkProgram(draft, bytes, "the boot loader", path, databases);
    const found = orUndefined(() => systemdComponentOf(parsePe(bytes)));
    if (path === first) component = found;
    if (orUndefined(() => findSection(parsePe(bytes), ".linux")) !== undefined) {
      draft.fact("it is a UKI: no loader comes before it");
      if (path === first) uki = { what: "the UKI", path, bytes };
    } else if (found === undefined)
      draft.find("unchecked", "it is not systemd-boot, so what it starts is not known", { path });
    else draft.fact(`${found.component} ${found.version}`);
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
