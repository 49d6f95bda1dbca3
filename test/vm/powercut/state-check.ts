/** Whether a disk as a power cut left it boots one of two systems, verified: looked at without starting it. */
import { createHash } from "node:crypto";
import {
  CommandLine,
  compareForSystemdBoot,
  deploymentOfEntry,
  findComposefsArguments,
  isExhausted,
  type NamedEntry,
  parseBootEntry,
} from "../../../src/bls/index.ts";
import { originPath, parseOrigin, stateDirectory, VAR_LINK_TARGET } from "../../../src/deployment/index.ts";
import { listErofsObjects } from "../../../src/erofs/index.ts";
import { reasonOf } from "../../../src/errors/index.ts";
import { type SignatureDatabases, verifyBootProgram } from "../../../src/keys/index.ts";
import { readUki } from "../../../src/pe/index.ts";
import { Ext4Reader, type ReadAt } from "./ext4-reader.ts";
import { type FatEntry, FatReader } from "./fat-reader.ts";
import type { VerifiedFiles } from "./verified-files.ts";

export interface StateVerdict {
  /** What the boot loader starts by itself; undefined when it would find nothing. */
  readonly defaultId: string | undefined;
  /** All deployments in the menu, in its order. */
  readonly menu: readonly string[];
  /** What breaks the promise. */
  readonly faults: readonly string[];
}

/** A disk's two file systems, the root's journal replayed. */
export interface DiskState {
  readonly esp: ReadAt;
  readonly root: ReadAt;
}

export class StateChecker {
  readonly #databases: readonly SignatureDatabases[];
  readonly #files: VerifiedFiles;
  /** What a UKI of these bytes names, or what is wrong with it. */
  readonly #ukis = new Map<string, { readonly imageIds: readonly string[] } | { readonly fault: string }>();
  readonly #objects = new Map<string, readonly string[]>();

  constructor(databases: readonly SignatureDatabases[], files: VerifiedFiles) {
    this.#databases = databases;
    this.#files = files;
  }

  async check(state: DiskState): Promise<StateVerdict> {
    const faults: string[] = [];
    const attempt = async <T>(what: string, look: () => T | Promise<T>): Promise<T | undefined> => {
      try {
        return await look();
      } catch (error) {
        faults.push(`${what}: ${reasonOf(error)}`);
        return undefined;
      }
    };
    const esp = new FatReader(state.esp);
    const root = await attempt("root file system", () => new Ext4Reader(state.root));
    const menu = (await attempt("boot entries", () => menuOf(esp))) ?? [];
    for (const { fault } of menu) if (fault !== undefined) faults.push(fault);
    const entries = menu.flatMap(({ entry }) => entry ?? []).sort(compareForSystemdBoot);
    const ids: string[] = [];
    for (const entry of entries) {
      const id = deploymentOfEntry(entry.entry);
      if (id === undefined || root === undefined) continue;
      ids.push(id);
      await attempt(entry.fileName, async () => faults.push(...(await this.#deployment(esp, root, entry, id))));
    }
    const [first] = entries.filter((entry) => !isExhausted(entry));
    const defaultId = first === undefined ? undefined : deploymentOfEntry(first.entry);
    if (defaultId === undefined) faults.push("the boot loader finds nothing to start");
    return { defaultId, menu: ids, faults };
  }

  async #deployment(esp: FatReader, root: Ext4Reader, { entry }: NamedEntry, id: string): Promise<string[]> {
    if (entry.target.type !== "uki") return [`${id}: its entry starts no UKI`];
    const uki = esp.find(entry.target.path);
    if (uki === undefined) return [`${entry.target.path} does not exist`];
    const named = await this.#namedBy(esp, uki);
    if ("fault" in named) return [`${entry.target.path}: ${named.fault}`];
    if (!named.imageIds.includes(id)) return [`${entry.target.path} names ${named.imageIds.join(" ")}`];
    return [...named.imageIds.flatMap((image) => this.#image(root, image)), ...stateFaults(root, id)];
  }

  async #namedBy(esp: FatReader, uki: FatEntry) {
    const bytes = esp.contentOf(uki);
    const key = createHash("sha256").update(bytes).digest("hex");
    const known = this.#ukis.get(key);
    if (known !== undefined) return known;
    const result = await this.#readUki(bytes);
    this.#ukis.set(key, result);
    return result;
  }

  async #readUki(bytes: Buffer) {
    try {
      await verifyBootProgram(bytes, "the UKI", this.#databases);
      const line = CommandLine.parse(readUki(bytes).commandLine ?? "");
      return { imageIds: findComposefsArguments(line).map(({ id }) => id) };
    } catch (error) {
      return { fault: reasonOf(error) };
    }
  }

  /** The image, and every object that it names. */
  #image(root: Ext4Reader, id: string): string[] {
    const link = root.find(`composefs/images/${id}`);
    if (link?.kind !== "symlink") return [`image ${id} is not in the repository`];
    const fault = this.#files.faultOf(root, objectPath(id), id);
    if (fault !== undefined) return [fault];
    const objects = this.#objects.get(id) ?? this.#list(root, id);
    return objects.flatMap((object) => this.#files.faultOf(root, objectPath(object), object) ?? []);
  }

  #list(root: Ext4Reader, id: string): readonly string[] {
    const file = root.find(objectPath(id));
    const objects = file === undefined ? [] : listErofsObjects(root.contentOf(file));
    this.#objects.set(id, objects);
    return objects;
  }
}

function objectPath(id: string): string {
  return `composefs/objects/${id.slice(0, 2)}/${id.slice(2)}`;
}

function menuOf(esp: FatReader): { readonly entry?: NamedEntry; readonly fault?: string }[] {
  const folder = esp.find("loader/entries");
  if (folder === undefined) return [{ fault: "loader/entries does not exist" }];
  return esp.list(folder).flatMap((file) => {
    if (file.isDirectory || !file.name.toLowerCase().endsWith(".conf")) return [];
    try {
      const text = esp.contentOf(file).toString("utf8");
      return { entry: { fileName: file.name, entry: parseBootEntry(text, file.name) } };
    } catch (error) {
      return { fault: `${file.name}: ${reasonOf(error)}` };
    }
  });
}

/** What the boot needs of a deployment's own directory, and what the host reads. */
function stateFaults(root: Ext4Reader, id: string): string[] {
  const faults: string[] = [];
  const directory = stateDirectory(id);
  const etc = root.find(`${directory}/etc`);
  const passwd = root.find(`${directory}/etc/passwd`);
  if (etc?.kind !== "directory" || passwd === undefined) faults.push(`${directory}/etc is not complete`);
  const link = root.find(`${directory}/var`);
  if (link?.kind !== "symlink" || root.contentOf(link).toString() !== VAR_LINK_TARGET) faults.push(`${directory}/var`);
  const origin = root.find(originPath(id));
  if (origin === undefined) return [...faults, `${originPath(id)} does not exist`];
  parseOrigin(root.contentOf(origin).toString("utf8"), originPath(id));
  return faults;
}
