/** The program's part of a system as a tar stream, for a layer of an image. */
import { readFileSync } from "node:fs";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { type TarMember, writeTar } from "../../src/tar/index.ts";
import { type SystemEntry, systemTree } from "./system-tree.ts";

/**
 * Yields the stream. Equal folders and times give equal bytes. Directories that every system has keep the mode 0755.
 * @param epochSeconds time of everything, seconds since 1970
 */
export function systemLayer(programFolder: string, epochSeconds: number): AsyncIterable<Uint8Array> {
  return writeTar(members(systemTree(programFolder), epochSeconds));
}

function* members(entries: readonly SystemEntry[], epochSeconds: number): Generator<TarMember> {
  for (const entry of entries) {
    const path = byteStringOfText(entry.path);
    const common = { path, uid: 0, gid: 0, mtimeSeconds: BigInt(epochSeconds) };
    if (entry.kind === "directory") yield { header: { ...common, kind: "directory", mode: 0o755 } };
    else if (entry.kind === "symlink") {
      const linkPath = byteStringOfText(entry.target);
      yield { header: { ...common, kind: "symlink", linkPath, mode: 0o777 } };
    } else {
      const body = readFileSync(entry.source);
      yield { header: { ...common, kind: "file", mode: entry.mode, sizeBytes: body.length }, body };
    }
  }
}
