/** Hashing the contents of objects with sha256, under which the rest of the world knows them. */
import { createHash } from "node:crypto";
import { SealrootError } from "../../errors/index.ts";
import { openObject } from "../object-reader.ts";
import type { ObjectSettings } from "../object-settings.ts";

interface DigestContentsInput {
  readonly settings: ObjectSettings;
  readonly objectIds: readonly string[];
}

/** @returns for each object its digest in hex; undefined for one that cannot be read */
export function digestContents({ settings, objectIds }: DigestContentsInput): (string | undefined)[] {
  return objectIds.map((objectId) => digestContent(settings, objectId));
}

function digestContent(settings: ObjectSettings, objectId: string): string | undefined {
  try {
    using object = openObject(settings, objectId);
    const hash = createHash("sha256");
    for (const chunk of object.chunks()) hash.update(chunk);
    return hash.digest("hex");
  } catch (error) {
    if (error instanceof SealrootError) return undefined;
    throw error;
  }
}
