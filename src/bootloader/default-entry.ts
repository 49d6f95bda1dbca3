/** Which entry boots by default, decided from outside: on a disk that does not run (spec/host.md 1.5 and 1.6; bootc-install-mount(8)). */
import {
  type BootEntry,
  compareForGrub,
  compareForSystemdBoot,
  deploymentOfEntry,
  deploymentOfUkiPath,
  type NamedEntry,
  parseBootEntry,
} from "../bls/index.ts";
import { asSealrootError, type SealrootError } from "../errors/index.ts";

/** A boot directory, wherever it is. Paths have `/` and no leading one. */
export interface BootFiles {
  /** The names in a directory; none if nothing has that name. */
  list(path: string): readonly string[];
  /** Undefined if nothing has that name. @throws SealrootError for anything but a file, and for a larger one */
  read(path: string, limitBytes: number): Uint8Array | undefined;
}

/** The entry that boots by default. */
export interface DefaultEntry {
  /** Where it was found: a file's name, or GRUB's menu. */
  readonly name: string;
  /** Undefined for another system's. */
  readonly deploymentId: string | undefined;
  /** What it starts: a UKI of the ESP, or a kernel with this command line. */
  readonly start: { readonly ukiPath: string } | { readonly commandLine: string };
}

const ENTRIES = "loader/entries";
/** GRUB's menu of UKIs. */
const GRUB_MENU = "grub2/user.cfg";
/** More is not an entry but an attack on memory. */
const ENTRY_MAX_BYTES = 1 << 20;

/**
 * The entry that boots by default: of systemd-boot the first one on the ESP, or in `/boot`; of GRUB the first one of its
 * menu of UKIs, or else the one whose file name sorts last. What is staged, the firmware's variables and a default set in
 * `loader.conf` do not count; a boot counter that is used up does, as it does for the loader.
 *
 * @param onUnusable told of files that are not entries, which no loader shows
 * @returns undefined without any entry
 */
export function defaultEntry(
  esp: BootFiles | undefined,
  boot: BootFiles,
  onUnusable: (fileName: string, error: SealrootError) => void,
): DefaultEntry | undefined {
  const ofEsp = esp === undefined ? [] : readEntries(esp, onUnusable);
  const first = ofEsp.sort(compareForSystemdBoot)[0];
  if (first !== undefined) return described(first);
  const menu = boot.read(GRUB_MENU, ENTRY_MAX_BYTES);
  const ofMenu = menu === undefined ? undefined : firstOfMenu(Buffer.from(menu).toString("utf8"));
  if (ofMenu !== undefined) return ofMenu;
  const compare = boot.list("grub2").length > 0 ? compareForGrub : compareForSystemdBoot;
  const ofBoot = readEntries(boot, onUnusable).sort(compare)[0];
  return ofBoot && described(ofBoot);
}

function readEntries(files: BootFiles, onUnusable: (fileName: string, error: SealrootError) => void): NamedEntry[] {
  const names = files.list(ENTRIES).filter((name) => name.toLowerCase().endsWith(".conf"));
  return names.flatMap((fileName) => {
    try {
      const bytes = files.read(`${ENTRIES}/${fileName}`, ENTRY_MAX_BYTES);
      if (bytes === undefined) return [];
      const entry = parseBootEntry(Buffer.from(bytes).toString("utf8"), `boot entry ${fileName}`);
      // An entry with a contradiction in its options starts nothing.
      deploymentOfEntry(entry);
      return [{ fileName, entry }];
    } catch (error) {
      onUnusable(fileName, asSealrootError(error, `Cannot read boot entry ${fileName}`));
      return [];
    }
  });
}

function described({ fileName, entry }: NamedEntry): DefaultEntry {
  return { name: fileName, deploymentId: deploymentOfEntry(entry), start: startOf(entry) };
}

function startOf({ target, options }: BootEntry): DefaultEntry["start"] {
  return target.type === "uki" ? { ukiPath: target.path } : { commandLine: options ?? "" };
}

/** The first menuentry, by the UKI that it chains to (spec/host.md 1.5). */
function firstOfMenu(text: string): DefaultEntry | undefined {
  const body = /menuentry\s+"(?:[^"\\]|\\.)*"\s*\{([^}]*)\}/s.exec(text.replace(/^\s*#.*$/gm, ""))?.[1];
  const path = body === undefined ? undefined : /^\s*chainloader\s+(\S+)\s*$/m.exec(body)?.[1];
  if (path === undefined) return undefined;
  return { name: GRUB_MENU, deploymentId: deploymentOfUkiPath(path), start: { ukiPath: path } };
}
