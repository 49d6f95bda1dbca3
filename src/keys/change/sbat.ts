/** The generation of what a directory of keys seals (SBAT): a file of lines for UKIs, and the level that refuses older ones. */
import { join } from "node:path";
import type { Guid } from "../../efi/index.ts";
import { corrupt, SealrootError } from "../../errors/index.ts";
import { checkSbatText, parseSbatLevel, type SbatEntry, sbatEntries, sbatTextOf } from "../../pe/index.ts";
import { readFirst } from "../directory.ts";
import { ownerGuid, writeFiles } from "./database-file.ts";
import { whileLocked } from "./directory-lock.ts";

/** As `ukify --sbat=@FILE` takes it. */
export const SBAT_FILE = "sbat.csv";
/** As shim has it in its variable of that name. */
const SBAT_LEVEL_FILE = "SbatLevel.csv";
/** Components of the UAPI group: their generations are raised when systemd's code is at fault, by those who write it. */
const OTHERS_COMPONENTS = ["uki", "uki-addon"];

/** The file of new directories: a component that is nobody else's, of the first generation. */
export function newSbatText(owner: Guid): string {
  return sbatTextOf(`uki.${owner}`, 1, "the owner of the keys");
}

/**
 * The lines for UKIs that are sealed with a directory; undefined without the file.
 * @throws SealrootError `corrupt`
 */
export function loadSbat(directory: string): string | undefined {
  const found = readFirst(directory, [SBAT_FILE]);
  if (found === undefined) return undefined;
  const text = Buffer.from(found.value).toString("latin1");
  try {
    checkSbatText(text, found.path);
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    throw corrupt(error.message, { ...error.data, path: found.path });
  }
  return text;
}

/** What raising generations did. */
export interface RaisedGenerations {
  readonly directory: string;
  /** With the least generation that is let start. */
  readonly components: readonly Pick<SbatEntry, "component" | "generation">[];
  /** The files that were written. */
  readonly files: readonly string[];
}

/**
 * Raises the generation of every component of the directory's own, so that what it has sealed before is refused where the level is in
 * force. Other lines of the level stay.
 *
 * @param now the level is dated with it, or later than the last: shim takes none that is not
 * @throws SealrootError `not-found` for a directory without components of its own, `usage` beyond the last generation; `corrupt`
 */
export async function raiseGenerations(directory: string, now: Date): Promise<RaisedGenerations> {
  return await whileLocked(directory, async () => {
    const text = loadSbat(directory) ?? "";
    const own = sbatEntries(text).filter(({ component }) => !OTHERS_COMPONENTS.includes(component));
    if (own.length === 0) throw noComponent(directory);
    const raised = own.map(({ component, generation }) => ({ component, generation: generation + 1 }));
    const lines = text.split("\n").map((line) => raisedLine(line, raised));
    const newText = lines.join("\n");
    checkSbatText(newText, SBAT_FILE);
    const files = [
      { name: SBAT_FILE, content: Buffer.from(newText) },
      { name: SBAT_LEVEL_FILE, content: Buffer.from(raisedLevel(directory, raised, now)) },
    ];
    writeFiles(directory, files);
    return { directory, components: raised, files: files.map(({ name }) => name) };
  });
}

function raisedLine(line: string, raised: RaisedGenerations["components"]): string {
  const [component, , ...rest] = line.split(",");
  const found = raised.find((one) => one.component === component);
  return found === undefined ? line : [component, found.generation, ...rest].join(",");
}

function raisedLevel(directory: string, raised: RaisedGenerations["components"], now: Date): string {
  const found = readFirst(directory, [SBAT_LEVEL_FILE]);
  const old = found === undefined ? undefined : parseSbatLevel(found.value, found.path);
  const kept = (old?.entries ?? []).filter(({ component }) => {
    return component !== "sbat" && !raised.some((one) => one.component === component);
  });
  const entries = [...kept, ...raised].map(({ component, generation }) => `${component},${generation}\n`);
  return `sbat,1,${laterDate(old?.date, now)}\n${entries.join("")}`;
}

/** YYYYMMDDNN, which shim compares as text (Delivering_Sbat_Revocations.md). */
function laterDate(last: string | undefined, now: Date): string {
  const today = `${now.toISOString().slice(0, "2026-11-30".length).replaceAll("-", "")}00`;
  if (last === undefined || !/^\d{10}$/.test(last) || last < today) return today;
  return String(Number(last) + 1);
}

function noComponent(directory: string): SealrootError {
  const path = join(directory, SBAT_FILE);
  return new SealrootError(
    "not-found",
    `Cannot revoke what ${directory} has sealed: its seals name no component of yours`,
    {
      path,
      expected: newSbatText(ownerGuid(directory)).trimEnd().split("\n").at(-1) ?? "",
      hint: `write ${SBAT_FILE} with a component of your own; seals made with it can be revoked later`,
    },
  );
}
