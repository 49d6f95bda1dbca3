/** Owners by the names that a deployment gives them. */
import { type ByteString, byteStringOfText } from "../../bytes/index.ts";
import { SealrootError } from "../../errors/index.ts";
import type { StateTree } from "./state-tree.ts";

/** An owner; the group stays as it would be when none is given. */
export interface Owner {
  readonly uid: number;
  readonly gid?: number;
}

/** More users than any system has in a file. */
const FILE_MAX_BYTES = 1 << 24;
const ID_MAX = 2 ** 32 - 2;

/**
 * Reads `USER[:GROUP]`: numbers, or names of the deployment's `/etc/passwd` and `/etc/group`.
 * @throws SealrootError `usage` for what is neither
 */
export function ownerOf(tree: StateTree, text: string): Owner {
  const [user = "", group, ...rest] = text.split(":");
  if (rest.length > 0) throw unknownOwner(text, "it is not USER or USER:GROUP");
  const uid = idOf(tree, "passwd", user, text);
  return group === undefined ? { uid } : { uid, gid: idOf(tree, "group", group, text) };
}

function idOf(tree: StateTree, file: "passwd" | "group", name: string, text: string): number {
  const digits = /^\d+$/.test(name) ? name : linesOf(tree, file).find((fields) => fields[0] === name)?.[2];
  const id = Number(digits);
  if (digits !== undefined && Number.isInteger(id) && id <= ID_MAX) return id;
  throw unknownOwner(text, `"${name}" is not in the deployment's /etc/${file}`);
}

/** passwd(5) and group(5): the name first, the number third. */
function linesOf(tree: StateTree, file: "passwd" | "group"): string[][] {
  const { place, missing } = tree.resolve(byteStringOfText(`/etc/${file}`) as ByteString, true);
  if (missing.length > 0 || place.of !== "state" || place.file.kind !== "file") return [];
  const bytes = tree.disk.reader.bytes(place.file, FILE_MAX_BYTES);
  return Buffer.from(bytes)
    .toString("utf8")
    .split("\n")
    .map((line) => line.split(":"));
}

function unknownOwner(text: string, state: string): SealrootError {
  return new SealrootError("usage", `Cannot use the owner "${text}": ${state}`, {
    hint: "give numbers, such as --owner 1000:1000",
  });
}
