/** What is loaded at boot though nobody signed it, and what it could change on this system (systemd-stub(7)). */
import type { CommandLine } from "../../bls/index.ts";
import type { UnsignedInput } from "../report/report.ts";
import type { ListedEntry } from "./boot-entries.ts";
import type { CheckedUki } from "./check-uki.ts";
import type { EspFiles } from "./esp-files.ts";

/** Folders for the UKIs of all deployments; `extensions` since systemd 258. */
const GLOBAL = /^loader\/(?:credentials|extensions)\//i;
const LOADER_SETTINGS = "loader/loader.conf";
const IMPORT_CREDENTIALS = "systemd.import_credentials";
/** What systemd's parse_boolean accepts as false (systemd, src/basic/parse-util.c). */
const FALSE = ["0", "no", "n", "false", "f", "off"];

/** @param ukis that boot entries start */
export function unsignedInputs(
  esp: EspFiles,
  ukis: readonly CheckedUki[],
  entries: readonly ListedEntry[],
): UnsignedInput[] {
  const found: UnsignedInput[] = [];
  for (const { path } of esp.files) {
    const isCredential = /\.cred$/i.test(path);
    const isExtension = /\.raw$/i.test(path);
    if (!isCredential && !isExtension) continue;
    const takers = GLOBAL.test(path) ? ukis : ukis.filter((uki) => isBeside(path, uki.path));
    const kind = isCredential ? ("credential" as const) : ("extension" as const);
    const effects = takers.map((uki) => (isCredential ? credentialEffect(uki) : extensionEffect(uki)));
    found.push({
      source: path,
      kind,
      effect: effects.find(changes) ?? effects[0] ?? "nothing: no entry's UKI takes it",
    });
  }
  for (const { path, entry } of entries) {
    if (entry.target.type !== "uki" || entry.options === undefined) continue;
    const effect = `nothing with Secure Boot; without it, "${entry.options}" is in place of the signed command line`;
    found.push({ source: path, kind: "entry options", effect });
  }
  if (esp.files.some(({ path }) => path.toLowerCase() === LOADER_SETTINGS)) {
    const effect = "which of the signed entries starts, and how long the menu waits";
    found.push({ source: LOADER_SETTINGS, kind: "loader settings", effect });
  }
  return [...found, ...machineTables(ukis)];
}

function changes(effect: string): boolean {
  return !effect.startsWith("nothing");
}

function isBeside(path: string, ukiPath: string): boolean {
  return path.toLowerCase().startsWith(`${ukiPath.replace(/^\/+/, "").toLowerCase()}.extra.d/`);
}

function credentialEffect({ initramfs, commandLine }: CheckedUki): string {
  if (initramfs === undefined) return "unknown: its initramfs cannot be read here";
  if (!initramfs.hasSystemd) return "nothing: its initramfs takes no credentials";
  if (importsNone(commandLine)) return `nothing: the signed command line says ${IMPORT_CREDENTIALS}=no`;
  return "settings of services, and units that run as root";
}

function extensionEffect({ initramfs }: CheckedUki): string {
  if (initramfs === undefined) return "unknown: its initramfs cannot be read here";
  if (!initramfs.hasSystemd) return "nothing: its initramfs merges no extensions";
  if (initramfs.leavesExtensionsOut) return "nothing: its initramfs leaves extensions out";
  return "files over /usr and /etc of the initramfs, if systemd's policy for extensions accepts it";
}

/** The last one counts, as for systemd. */
function importsNone(line: CommandLine): boolean {
  const value = line.arguments.findLast(({ key }) => key === IMPORT_CREDENTIALS)?.value;
  return value !== undefined && FALSE.includes(value.toLowerCase());
}

/** What the host of a virtual machine, or the firmware, decides (spec/boot-chain.md H, I.1). */
export function machineTables(ukis: readonly CheckedUki[]): UnsignedInput[] {
  const [first] = ukis;
  if (first === undefined) return [];
  const isOurs = ukis.every(({ initramfs }) => initramfs?.program === "sealroot");
  const line = isOurs
    ? "arguments after the signed ones: one that names an image or drops fs-verity stops the boot, init= and systemd.unit= are obeyed"
    : "arguments after the signed ones, which may name another image";
  const credentials = ukis.every(({ commandLine }) => importsNone(commandLine))
    ? `nothing: the signed command line says ${IMPORT_CREDENTIALS}=no`
    : `settings of services, and units that run as root; seal with --karg ${IMPORT_CREDENTIALS}=no to close it`;
  return [
    { source: "SMBIOS io.systemd.stub.kernel-cmdline-extra", kind: "machine tables", effect: line },
    { source: "SMBIOS and fw_cfg io.systemd.credential", kind: "machine tables", effect: credentials },
  ];
}
