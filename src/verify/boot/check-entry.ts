/** A boot entry, and the UKI that it leads to. */
import type { LinkDraft } from "../report/link.ts";
import { addonPaths, type ListedEntry } from "./boot-entries.ts";
import type { CheckedLoader } from "./check-loader.ts";
import { type CheckedUki, checkUki } from "./check-uki.ts";
import type { EspFiles } from "./esp-files.ts";
import type { FirmwareKeys } from "./firmware-keys.ts";

const REPAIR = "on the host: sealroot fsck --repair";
/** From this version on systemd-boot knows the key `uki`; older ones drop such an entry (spec/boot-chain.md I.1). */
const UKI_KEY_SINCE = 258;

/** @returns undefined when the entry leads to no UKI */
export async function checkEntry(
  draft: LinkDraft,
  { path, entry, deploymentId }: ListedEntry,
  { component }: CheckedLoader,
  esp: EspFiles,
  keys: FirmwareKeys,
): Promise<CheckedUki | undefined> {
  const { target } = entry;
  if (deploymentId === undefined) {
    const found = target.type === "uki" ? target.path : target.linux;
    draft.broken("it starts something that is no deployment", {
      ...{ path, expected: "/EFI/Linux/bootc/bootc_composefs-ID.efi", found },
      remedy: "remove the entry, or let it name a deployment's UKI",
    });
    return undefined;
  }
  if (target.type === "linux") {
    draft.broken("kernel, initramfs and command line are not in a UKI, so nothing vouches for the root", {
      ...{ path, expected: "a UKI", found: target.linux, remedy: "seal the image: sealroot seal" },
    });
    return undefined;
  }
  if (target.key === "uki" && component !== undefined && component.majorVersion < UKI_KEY_SINCE) {
    draft.broken(`${component.component} ${component.majorVersion} does not know the key "uki" and drops the entry`, {
      ...{ path, expected: `efi ${target.path}`, found: `uki ${target.path}` },
      remedy: REPAIR,
    });
  }
  const ukiPath = target.path.replace(/^\/+/, "");
  const bytes = readUkiFile(draft, esp, ukiPath);
  if (bytes === undefined) {
    if (draft.hasLinks) return undefined;
    draft.broken("the UKI that it names is not on the ESP", {
      ...{ path, expected: target.path, found: "nothing", remedy: REPAIR },
    });
    return undefined;
  }
  return await checkUkiOnEsp(draft, { path: ukiPath, bytes }, deploymentId, esp, keys);
}

/** A UKI with the add-ons that lie beside it. @param deploymentId that it is called after, if it is */
export async function checkUkiOnEsp(
  draft: LinkDraft,
  { path, bytes }: { readonly path: string; readonly bytes: Uint8Array },
  deploymentId: string | undefined,
  esp: EspFiles,
  keys: FirmwareKeys,
): Promise<CheckedUki | undefined> {
  const addons: { path: string; bytes: Uint8Array }[] = [];
  for (const addonPath of addonPaths(esp, path)) {
    const content = await draft.attempt(() => esp.read(addonPath), { path: addonPath });
    if (content !== undefined) addons.push({ path: addonPath, bytes: content });
  }
  return await checkUki(draft, { path, bytes, addons, addonsAreLoaded: true, deploymentId }, keys);
}

/** A file that the ESP does not hold whole is the UKI's own fault, not that of the entry that names it. */
function readUkiFile(draft: LinkDraft, esp: EspFiles, path: string): Uint8Array | undefined {
  try {
    return esp.read(path);
  } catch (error) {
    draft.link("uki", path).failed(error, "broken", { path, remedy: REPAIR });
    return undefined;
  }
}
