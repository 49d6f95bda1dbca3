/** meta.json by itself: it decides what is demanded of all objects, so one that is damaged or lost hides other damage. */
import { closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asSealrootError, hasErrno, SealrootError } from "../../errors/index.ts";
import { openRegularFile } from "../../objects/index.ts";
import { measureVerity } from "../../platform/index.ts";
import type { VerityAlgorithm } from "../../verity/index.ts";
import { formatMeta, parseMeta } from "../meta.ts";
import { META_FILE } from "../names.ts";
import { replaceMetaFile } from "./meta-file.ts";

/**
 * `secure`: it has fs-verity. `unprotected`: it could have and does not. `unsupported`: its file system has no fs-verity.
 * `unusable`: absent, or not a meta.json.
 */
export type MetaState =
  | { readonly state: "secure" | "unprotected" | "unsupported"; readonly text: string }
  | { readonly state: "unusable"; readonly error: SealrootError };

/** @param repositoryPath of a repository that need not be usable */
export function metaState(repositoryPath: string): MetaState {
  const path = join(repositoryPath, META_FILE);
  try {
    const fd = openRegularFile(path);
    try {
      const text = readFileSync(fd, "utf8");
      parseMeta(text);
      const { state } = measureVerity(fd);
      return { state: state === "enabled" ? "secure" : state === "disabled" ? "unprotected" : state, text };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const what = hasErrno(error, "ENOENT") ? "meta.json is gone" : "Cannot read meta.json";
    return { state: "unusable", error: asSealrootError(error, what, { path }) };
  }
}

/**
 * Writes meta.json again: with its own text, or when it has none with that of a new repository.
 *
 * @param options.algorithm of a new repository
 * @param options.requireVerity demands fs-verity of it wherever there is any
 * @throws SealrootError as asSealrootError
 */
export function restoreMeta(
  repositoryPath: string,
  options: { readonly algorithm: VerityAlgorithm; readonly requireVerity: boolean },
): void {
  const found = metaState(repositoryPath);
  const text = found.state === "unusable" ? formatMeta(options.algorithm, { default: 1, extra: [] }) : found.text;
  const { algorithm } = parseMeta(text);
  try {
    if (options.requireVerity && writtenSecurely(repositoryPath, text, algorithm)) return;
    replaceMetaFile(repositoryPath, text, algorithm, "insecure");
  } catch (error) {
    throw asSealrootError(error, "Cannot write meta.json", { path: join(repositoryPath, META_FILE) });
  }
}

function writtenSecurely(repositoryPath: string, text: string, algorithm: VerityAlgorithm): boolean {
  try {
    replaceMetaFile(repositoryPath, text, algorithm, "secure");
    return true;
  } catch (error) {
    if (error instanceof SealrootError && error.code === "unsupported") return false;
    throw error;
  }
}
