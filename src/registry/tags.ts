/** The tags of a repository (OCI distribution specification, "Listing tags"). */
import * as v from "valibot";
import type { RegistryClient } from "./client.ts";
import { pagesOf } from "./links.ts";

const schema = v.looseObject({ tags: v.nullish(v.array(v.string())) });

/**
 * All tags, sorted.
 * @throws SealrootError as pagesOf; `not-found` for an unknown repository
 */
export async function listTags(client: RegistryClient): Promise<string[]> {
  const tags = new Set<string>();
  const action = `Cannot list the tags of ${client.name}`;
  for await (const page of pagesOf(client, "tags/list", schema, { action })) {
    for (const tag of page.tags ?? []) tags.add(tag);
  }
  return [...tags].sort();
}
