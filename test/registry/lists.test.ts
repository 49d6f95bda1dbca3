/** Lists: tags in pages, referrers by the interface or by a tag. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { parseReference } from "../../src/oci/index.ts";
import { listReferrers, listTags, openForWriting, type RegistryClient } from "../../src/registry/index.ts";
import { scratchDirectory } from "../imagestore/vectors.ts";
import { emptyHost } from "./empty-host.ts";
import { startServer } from "./misbehaving-registry.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

async function clientFor(host: string): Promise<RegistryClient> {
  const reference = parseReference(`docker://${host}/image:t`);
  assert.ok(reference.transport === "docker");
  return openForWriting(reference, { paths: await emptyHost(scratch.path), limits: { retries: 0 } });
}

test("tags come in pages, relative links or not, short pages or not; a circle is an error", async () => {
  const pages = new Map<string, { tags: string[] | null; next?: string }>();
  const server = await startServer((request, response) => {
    const page = pages.get(request.url ?? "");
    if (page === undefined) return void response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
    if (page.next !== undefined) response.setHeader("link", `<${page.next}>; rel="next"`);
    response.end(JSON.stringify({ name: "image", tags: page.tags }));
  });
  const client = await clientFor(server.host);
  try {
    await assert.rejects(listTags(client), { code: "not-found", message: /status 404: NAME_UNKNOWN$/ });
    pages.set("/v2/image/tags/list", { tags: ["c", "a"], next: "/v2/image/tags/list?last=a" });
    pages.set("/v2/image/tags/list?last=a", { tags: null, next: `http://${server.host}/v2/image/tags/list?last=b` });
    pages.set("/v2/image/tags/list?last=b", { tags: ["b", "c"] });
    assert.deepEqual(await listTags(client), ["a", "b", "c"]);
    pages.set("/v2/image/tags/list?last=b", { tags: ["d"], next: "list?last=a" });
    await assert.rejects(listTags(client), { code: "corrupt", message: /the link to its next page is wrong/ });
    pages.set("/v2/image/tags/list?last=b", { tags: [7 as unknown as string] });
    await assert.rejects(listTags(client), { code: "corrupt", message: /tags\.0: / });
  } finally {
    await client.close();
    await server.stop();
  }
});

test("referrers come from the interface, or from the tag where there is none; both are filtered by type", async () => {
  const digest = `sha256:${"a".repeat(64)}`;
  const entries = ["x/one", "x/two"].map((artifactType) => {
    const bytes = Buffer.from(artifactType);
    return { mediaType: "m", digest: `sha256:${bytes.toString("hex").padStart(64, "0")}`, size: 1, artifactType };
  });
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: entries };
  const seen: (string | undefined)[] = [];
  let served = `/v2/image/referrers/${digest}`;
  const server = await startServer((request, response) => {
    seen.push(request.url);
    if (request.url?.split("?")[0] !== served) return void response.writeHead(404).end();
    response.setHeader("content-type", index.mediaType);
    response.end(JSON.stringify(index));
  });
  const client = await clientFor(server.host);
  try {
    assert.deepEqual(await listReferrers(client, digest), entries);
    assert.deepEqual(await listReferrers(client, digest, "x/two"), entries.slice(1));
    assert.equal(seen.at(-1), `/v2/image/referrers/${digest}?artifactType=x%2Ftwo`);
    served = `/v2/image/manifests/sha256-${"a".repeat(64)}`;
    assert.deepEqual(await listReferrers(client, digest, "x/one"), entries.slice(0, 1));
    served = "";
    assert.deepEqual(await listReferrers(client, digest), []);
  } finally {
    await client.close();
    await server.stop();
  }
});

test("a list without end is given up after 64 MiB, however short its pages are", async () => {
  const tags = JSON.stringify({ tags: Array.from({ length: 1000 }, (_, index) => `${index}`.padEnd(8000, "x")) });
  let pages = 0;
  const server = await startServer((_, response) => {
    response.setHeader("link", `</v2/image/tags/list?page=${++pages}>; rel="next"`);
    response.end(tags);
  });
  const client = await clientFor(server.host);
  try {
    await assert.rejects(listTags(client), { code: "unsupported", message: /or all pages more than 67108864$/ });
    assert.equal(pages, Math.floor((64 << 20) / tags.length) + 1);
  } finally {
    await client.close();
    await server.stop();
  }
});

test("more referrers than fit into the arguments of a call are a list like any other", async () => {
  const digest = `sha256:${"b".repeat(64)}`;
  const manifests = Array.from({ length: 130_000 }, () => ({ mediaType: "m", digest, size: 1 }));
  const server = await startServer((_, response) => {
    response.end(JSON.stringify({ schemaVersion: 2, manifests }));
  });
  const client = await clientFor(server.host);
  try {
    assert.equal((await listReferrers(client, digest)).length, manifests.length);
  } finally {
    await client.close();
    await server.stop();
  }
});
