/** Manifests at registries that answer in their own way, and lists of referrers that several clients write. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { putManifest } from "../../../src/images/copy/put-manifest.ts";
import { type Descriptor, documentBytes, MEDIA_TYPE, parseReference } from "../../../src/oci/index.ts";
import { openForWriting } from "../../../src/registry/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { emptyHost } from "../../registry/empty-host.ts";
import { startServer } from "../../registry/misbehaving-registry.ts";

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
before(async () => {
  scratch = await scratchDirectory();
});
after(() => scratch.remove());

interface Behaviour {
  /** To a PUT. */
  readonly status?: number;
  /** What was sent is there after so many looks; never when absent and `keeps` is false. */
  readonly looksUntilThere?: number;
  readonly keeps?: boolean;
  /** Until what was sent is there, so that others read what was before. */
  readonly delayMs?: () => number;
  /** Tells versions and heeds If-Match. */
  readonly hasEtags?: boolean;
}

interface Manifest {
  readonly type: string;
  readonly bytes: Buffer;
  looks: number;
}

const digestOf = (bytes: Buffer) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** A registry with manifests and nothing else. */
async function startRegistry({
  status = 201,
  looksUntilThere = 0,
  keeps = true,
  delayMs = () => 0,
  hasEtags,
}: Behaviour) {
  const manifests = new Map<string, Manifest>();
  let refused = 0;
  const server = await startServer((request, response) => {
    const name = request.url?.split("/").at(-1) ?? "";
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", async () => {
      const found = manifests.get(name);
      if (request.url === "/v2/") return void response.end("{}");
      if (request.method === "PUT") {
        const bytes = Buffer.concat(parts);
        const etag = found === undefined ? undefined : `"${digestOf(found.bytes)}"`;
        const wanted = request.headers["if-match"];
        if (hasEtags === true && wanted !== undefined && wanted !== etag) {
          refused++;
          return void response.writeHead(412).end();
        }
        await new Promise((resolve) => setTimeout(resolve, delayMs()));
        if (keeps) manifests.set(name, { type: request.headers["content-type"] ?? "", bytes, looks: 0 });
        return void response.writeHead(status).end();
      }
      if (found === undefined || found.looks++ < looksUntilThere) return void response.writeHead(404).end();
      response.writeHead(200, {
        "content-type": found.type,
        "content-length": found.bytes.length,
        "docker-content-digest": digestOf(found.bytes),
        ...(hasEtags === true && { etag: `"${digestOf(found.bytes)}"` }),
      });
      response.end(request.method === "HEAD" ? undefined : found.bytes);
    });
  });
  return { ...server, manifests, refusals: () => refused };
}

async function clientFor(host: string) {
  const reference = parseReference(`docker://${host}/image:t`);
  assert.ok(reference.transport === "docker");
  return openForWriting(reference, { paths: await emptyHost(scratch.path), limits: { retries: 3, retryDelayMs: 20 } });
}

const CONFIG = { mediaType: MEDIA_TYPE.config, digest: `sha256:${"0".repeat(64)}`, size: 2 };

function manifestOf(more: object = {}): { descriptor: Descriptor; bytes: Buffer } {
  const document = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, config: CONFIG, layers: [], ...more };
  const bytes = Buffer.from(documentBytes(document));
  return { bytes, descriptor: { mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes), size: bytes.length } };
}

async function push(behaviour: Behaviour): Promise<void> {
  const registry = await startRegistry(behaviour);
  const client = await clientFor(registry.host);
  const { descriptor, bytes } = manifestOf();
  try {
    await putManifest(client, "t", descriptor, bytes);
  } finally {
    await client.close();
    await registry.stop();
  }
}

test("200, 202 and 204 are answers too, when the manifest is there afterwards", async () => {
  for (const status of [200, 201, 202, 204]) {
    await push({ status });
    await assert.rejects(push({ status, keeps: false }), {
      code: "corrupt",
      message: /^Cannot write manifest sha256:\w+ to \S+: the registry has none under t afterwards$/,
    });
  }
  await assert.rejects(push({ status: 206 }), { code: "failed" });
});

test("what was accepted may come later", async () => {
  await push({ status: 202, looksUntilThere: 2 });
  await assert.rejects(push({ status: 202, looksUntilThere: 9 }), { code: "corrupt" });
  await assert.rejects(push({ status: 204, looksUntilThere: 2 }), { code: "corrupt" });
});

for (const hasEtags of [false, true]) {
  test(`six clients enter a referrer each, ${hasEtags ? "with" : "without"} versions: all six are listed`, async () => {
    const registry = await startRegistry({ hasEtags, delayMs: () => Math.random() * 30 });
    const clients = await Promise.all(Array.from({ length: 6 }, () => clientFor(registry.host)));
    const subject = { mediaType: MEDIA_TYPE.manifest, digest: `sha256:${"5".repeat(64)}`, size: 3 };
    try {
      await Promise.all(
        clients.map(async (client, number) => {
          const { descriptor, bytes } = manifestOf({ subject, annotations: { number: String(number) } });
          await putManifest(client, descriptor.digest, descriptor, bytes);
        }),
      );
      const list = registry.manifests.get(subject.digest.replace(":", "-"));
      assert.ok(list);
      const { manifests } = JSON.parse(list.bytes.toString());
      const numbers = manifests.map(({ annotations }: Descriptor) => annotations?.number).sort();
      assert.deepEqual(numbers, ["0", "1", "2", "3", "4", "5"]);
    } finally {
      for (const client of clients) await client.close();
      await registry.stop();
    }
  });
}
