/** Add-ons put onto the ESP of a disk file that does not run, and taken from it: the disk is the old one or the new. */
import { closeSync, openSync, readSync } from "node:fs";
import { CommandLine, composefsWords, ukiPath } from "../bls/index.ts";
import { type AddonScope, checkSealedLines } from "../bootimage/index.ts";
import { addonPath, type InstalledAddon, installedAddonsIn } from "../bootloader/index.ts";
import {
  type EspChanges,
  editEsp,
  FatReader,
  type InstalledDiskParts,
  PARTITION_TYPE,
  readDiskPartitions,
} from "../disk/index.ts";
import { SealrootError } from "../errors/index.ts";
import { type EventSink, runStep, type StepReporter } from "../events/index.ts";
import { copyDisk, type HeldDisk, holdDisk, readDeploymentImage } from "../install/index.ts";
import { databasesOf, isSigned, type SignatureDatabases, verifyBootProgram } from "../keys/index.ts";
import { commandLineOf, parsePe, readUki } from "../pe/index.ts";
import { ADDON_BYTES_MAX, namesOnEsp, readFromEsp, requireEsp } from "./list-addons.ts";

export interface AddonTarget {
  readonly disk: string;
  /** Whose UKI it is for; that of the deployment that boots by default when absent. Ignored for global ones. */
  readonly deployment?: string | undefined;
  readonly scope: AddonScope;
  readonly events: EventSink;
}

export interface DiskAddonChange {
  readonly name: string;
  readonly scope: AddonScope;
  readonly deploymentId: string | null;
  /** Below the ESP. */
  readonly path: string;
  readonly change: "added" | "replaced" | "present" | "removed";
}

/** A new add-on's name and content. */
export interface NewAddon {
  /** Without `.addon.efi`. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Puts add-ons onto a disk. They are judged as an installation would: the rule of add-ons, the whole command line, and the keys
 * that the disk enrols.
 *
 * @throws SealrootError `unsupported` for a deployment without UKI; as checkSealedLines, verifyBootProgram, holdDisk
 */
export async function addToDisk(target: AddonTarget, added: readonly NewAddon[]): Promise<DiskAddonChange[]> {
  return changeEsp(target, async ({ parts, deploymentId }, { warn }) => {
    const esp = requireEsp(parts, target.disk);
    const place = ukiPath(deploymentId);
    const uki = esp.read(place.replace(/^\//, "").split("/"), ADDON_BYTES_MAX);
    if (uki === undefined) throw noUki(deploymentId);
    const { addons, foreign } = installedAddonsIn((folder) => namesOnEsp(esp, folder));
    const changes = added.map(({ name, bytes }) => ({
      name,
      bytes,
      path: addonPath({ name, scope: target.scope }, place),
    }));
    const others = addons
      .filter((one) => one.scope === "global" || one.deploymentId === deploymentId)
      .map(({ path }) => path)
      .filter((path) => !changes.some((change) => change.path === path));
    const lines = [...foreign, ...others].map((path) => lineOf(esp, path)).filter((line) => line !== "");
    const { architecture, commandLine } = readUki(uki, `the UKI ${place}`);
    const checked = changes.map(({ name, bytes }) => ({ name, bytes, scope: target.scope }));
    checkSealedLines({ path: place, architecture, commandLine }, checked, lines);
    const databases = enrolledDatabases(esp);
    for (const { name, bytes } of changes) await checkSignature(bytes, `the add-on ${name}`, databases, warn);
    const results = changes.map(({ name, bytes, path }): DiskAddonChange & { readonly bytes: Uint8Array } => {
      const old = esp.read(path.split("/"), ADDON_BYTES_MAX);
      const change = old === undefined ? "added" : Buffer.from(old).equals(bytes) ? "present" : "replaced";
      return { ...{ name, scope: target.scope, path, change, bytes }, deploymentId: ownerOf(target, deploymentId) };
    });
    return {
      report: results.map(({ bytes: _, ...report }) => report),
      changes: { written: results.filter(({ change }) => change !== "present"), removed: [] },
    };
  });
}

/**
 * Removes an add-on from a disk.
 * @throws SealrootError `not-found`; `conflict` for one that names the image that boots
 */
export async function removeFromDisk(target: AddonTarget, name: string): Promise<DiskAddonChange[]> {
  return changeEsp(target, async ({ parts, deploymentId }) => {
    const esp = requireEsp(parts, target.disk);
    const { addons } = installedAddonsIn((folder) => namesOnEsp(esp, folder));
    const owner = target.scope === "global" ? undefined : deploymentId;
    const found = addons.find((one) => one.name === name && one.scope === target.scope && one.deploymentId === owner);
    if (found === undefined) throw notFound(name, addons);
    const words = composefsWords(CommandLine.parse(lineOf(esp, found.path)));
    if (words.length > 0) {
      throw new SealrootError("conflict", `Cannot remove the add-on ${name}: it names the image that boots`, {
        path: found.path,
        actual: words.join(" "),
      });
    }
    const { path, scope } = found;
    return {
      report: [{ name, scope, path, change: "removed", deploymentId: found.deploymentId ?? null }],
      changes: { written: [], removed: [path] },
    };
  });
}

interface OpenDisk {
  readonly parts: InstalledDiskParts;
  readonly deploymentId: string;
}

interface PlannedChange {
  readonly report: DiskAddonChange[];
  readonly changes: EspChanges;
}

async function changeEsp(
  { disk, deployment, scope, events }: AddonTarget,
  plan: (open: OpenDisk, reporter: Pick<StepReporter, "warn">) => Promise<PlannedChange>,
): Promise<DiskAddonChange[]> {
  using held = holdDisk(disk, true);
  const { parts, planned } = await runStep(events, "read the disk", async (reporter) => {
    const wanted = scope === "global" ? undefined : deployment;
    const open = await readDeploymentImage(held, wanted, reporter.warn);
    return { parts: open.parts, planned: await plan(open, reporter) };
  });
  const { report, changes } = planned;
  if (changes.written.length + changes.removed.length === 0) return report;
  const startBytes = await espStart(held);
  const esp = requireEsp(parts, disk);
  using copy = await runStep(events, "copy the disk", (reporter) => copyDisk(held, reporter));
  await runStep(events, "change the copy", () =>
    editEsp(copy.disk, startBytes, changes, (folder) => esp.list(folder.split("/")) !== undefined),
  );
  await runStep(events, "check the copy", async () => checkCopy(copy.path, startBytes, changes));
  await runStep(events, "finish the disk", () => copy.publish());
  return report;
}

async function espStart({ path }: HeldDisk): Promise<number> {
  const { partitions } = await readDiskPartitions(path);
  const esp = partitions.find(({ typeGuid }) => typeGuid === PARTITION_TYPE.efiSystem);
  if (esp !== undefined) return esp.startBytes;
  throw new SealrootError("not-found", `Cannot edit the disk ${path}: it has no EFI system partition`, { path });
}

/** Reads everything back as firmware will. */
function checkCopy(path: string, startBytes: number, { written, removed }: EspChanges): void {
  const fd = openSync(path, "r");
  try {
    const esp = new FatReader((offset, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, startBytes + offset));
    });
    for (const { path: file, bytes } of written) {
      const actual = esp.read(file.split("/"), ADDON_BYTES_MAX);
      if (actual === undefined || !Buffer.from(actual).equals(bytes)) throw differs(file);
    }
    for (const file of removed) if (esp.read(file.split("/"), ADDON_BYTES_MAX) !== undefined) throw differs(file);
  } finally {
    closeSync(fd);
  }
}

function differs(path: string): SealrootError {
  return new SealrootError("corrupt", `Cannot accept the changed disk: ${path} is not as it was written`, { path });
}

/** What systemd-boot enrols of the disk. */
function enrolledDatabases(esp: FatReader): SignatureDatabases[] {
  const folders = (esp.list(["loader", "keys"]) ?? []).filter(
    ({ isDirectory, name }) => isDirectory && !/^\.+$/.test(name),
  );
  const files = folders.flatMap(({ name: folder }) =>
    (esp.list(["loader", "keys", folder]) ?? [])
      .filter(({ isDirectory, name }) => !isDirectory && name.endsWith(".auth"))
      .map(({ name }) => ({ folder, name, bytes: readFromEsp(esp, `loader/keys/${folder}/${name}`) })),
  );
  return databasesOf(files);
}

async function checkSignature(
  bytes: Uint8Array,
  what: string,
  databases: readonly SignatureDatabases[],
  warn: (text: string) => void,
): Promise<void> {
  if (databases.length > 0 || isSigned(bytes)) await verifyBootProgram(bytes, what, databases);
  else warn(`Firmware with Secure Boot will refuse ${what}: it is not signed`);
}

/** The kernel arguments of an add-on of the ESP; one that cannot be read brings none, as the firmware would not load it. */
function lineOf(esp: FatReader, path: string): string {
  try {
    return commandLineOf(parsePe(readFromEsp(esp, path), path), path) ?? "";
  } catch (error) {
    if (error instanceof SealrootError) return "";
    throw error;
  }
}

function ownerOf({ scope }: AddonTarget, deploymentId: string): string | null {
  return scope === "global" ? null : deploymentId;
}

function notFound(name: string, addons: readonly InstalledAddon[]): SealrootError {
  const there = addons.map((one) => `${one.name} (${one.scope === "global" ? "global" : `of ${one.deploymentId}`})`);
  return new SealrootError("not-found", `Cannot remove the add-on ${name}: the disk has none of that name there`, {
    actual: there.length === 0 ? "no add-ons" : there.join(", "),
    hint: "sealroot addon list shows the add-ons there are",
  });
}

function noUki(deploymentId: string): SealrootError {
  const what = `Cannot add an add-on: deployment ${deploymentId} has no UKI that would read it`;
  return new SealrootError("unsupported", what, { hint: "its kernel arguments are in its boot entry" });
}
