/** Blobs on their way to registries that break off, forget, refuse and confuse. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { BlobCursor } from "../../../src/images/copy/blob-cursor.ts";
import { openDestination } from "../../../src/images/index.ts";
import { parseReference } from "../../../src/oci/index.ts";
import type { RegistryOptions } from "../../../src/registry/index.ts";
import { scratchDirectory } from "../../imagestore/vectors.ts";
import { emptyHost } from "../../registry/empty-host.ts";
import { noise } from "./images.ts";
import { startUploadServer, type UploadFaults, type UploadServer } from "./upload-server.ts";

const SIZE = 20 << 20;
const BYTES = noise("upload", SIZE);
const NAME = { digest: `sha256:${createHash("sha256").update(BYTES).digest("hex")}`, size: SIZE };

let scratch: Awaited<ReturnType<typeof scratchDirectory>>;
let registry: RegistryOptions;
before(async () => {
  scratch = await scratchDirectory();
  registry = { paths: await emptyHost(scratch.path), limits: { retryDelayMs: 1, retries: 2 } };
});
after(() => scratch.remove());

async function* blob(): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < SIZE; done += 300_000) yield BYTES.subarray(done, done + 300_000);
}

/** Sends the blob, and gives what the server was asked; the paths without what they have in common. */
async function send(faults: UploadFaults, check?: (server: UploadServer) => void): Promise<string[]> {
  const server = await startUploadServer(faults);
  const destination = await openDestination(parseReference(`docker://${server.host}/a/b`), { registry });
  try {
    const stored = await destination.putBlob({ name: NAME, open: blob });
    assert.deepEqual(stored, { ...NAME, sentBytes: SIZE });
    assert.ok(server.blobs.get(`a/b ${NAME.digest}`)?.equals(BYTES));
  } finally {
    await destination.abort();
    check?.(server);
    await server.stop();
  }
  assert.equal(server.uploads.size, 0);
  return asked(server);
}

function asked(server: UploadServer): string[] {
  return server.requests.filter((text) => text !== "GET /v2/").map((text) => text.replace("/v2/a/b/blobs/", ""));
}

const PATCH_ALL = "PATCH uploads/1";
const [OPEN, ASK, NAME_IT] = ["POST uploads/", "GET uploads/1", "PUT uploads/1"];

test("a blob goes in one request, and its digest comes last", async () => {
  assert.deepEqual(await send({}), [OPEN, PATCH_ALL, NAME_IT]);
});

test("an interrupted upload resumes where the registry stopped, at every tenth of the blob", async () => {
  for (let tenth = 1; tenth < 10; tenth++) {
    const cut = Math.floor((SIZE * tenth) / 10);
    const rest = `PATCH uploads/1 ${cut}-${SIZE - 1}`;
    assert.deepEqual(await send({ cutAfterBytes: [cut] }), [OPEN, PATCH_ALL, ASK, rest, NAME_IT]);
  }
});

test("a registry that stops reading is not waited for: the rest goes over another connection", async () => {
  const usual = registry;
  registry = { ...usual, limits: { ...usual.limits, stallTimeoutMs: 2000 } };
  const rest = `PATCH uploads/1 ${1 << 20}-${SIZE - 1}`;
  try {
    assert.deepEqual(await send({ stopsAfterBytes: 1 << 20 }), [OPEN, PATCH_ALL, ASK, rest, NAME_IT]);
  } finally {
    registry = usual;
  }
});

test("an upload that is interrupted more often than the limit continues as long as it makes progress", async () => {
  const cutAfterBytes = Array.from({ length: 9 }, () => 2 << 20);
  const requests = await send({ cutAfterBytes });
  const ranges = requests.flatMap((text) => /^PATCH \S+ (\S+)$/.exec(text)?.[1] ?? []);
  assert.deepEqual(
    ranges,
    cutAfterBytes.map((bytes, index) => `${bytes * (index + 1)}-${SIZE - 1}`),
  );
});

test("an upload that the registry has lost, or damaged, is begun anew", async () => {
  const again = ["POST uploads/", "PATCH uploads/2", "PUT uploads/2"];
  const lost = await send({ cutAfterBytes: [5 << 20], afterCut: "lost" });
  assert.deepEqual(lost, [OPEN, PATCH_ALL, ASK, "DELETE uploads/1", ...again]);
  const damaged = await send({ cutAfterBytes: [5 << 20], afterCut: "damaged" });
  const rest = `PATCH uploads/1 ${5 << 20}-${SIZE - 1}`;
  assert.deepEqual(damaged, [OPEN, PATCH_ALL, ASK, rest, NAME_IT, "DELETE uploads/1", ...again]);
  // Nothing and one byte look alike.
  const oneByte = await send({ cutAfterBytes: [1] });
  assert.deepEqual(oneByte, [OPEN, PATCH_ALL, ASK, "DELETE uploads/1", ...again]);
});

test("what is too much at once goes in parts, none smaller than the registry wants", async () => {
  const parts = (bytes: number) =>
    Array.from({ length: Math.ceil(SIZE / bytes) }, (_, index) => {
      return `PATCH uploads/2 ${index * bytes}-${Math.min(SIZE, (index + 1) * bytes) - 1}`;
    });
  const begun = [OPEN, PATCH_ALL, ASK, "DELETE uploads/1", "POST uploads/"];
  const small = await send({ bodyMaxBytes: 10 << 20 });
  assert.deepEqual(small, [...begun, ...parts(8 << 20), "PUT uploads/2"]);
  const larger = await send({ bodyMaxBytes: 10 << 20, chunkMinBytes: 9 << 20 });
  assert.deepEqual(larger, [...begun, ...parts(9 << 20), "PUT uploads/2"]);
});

test("a refusal that comes while the body is on its way does not mix two bodies", async () => {
  const requests = await send({ bodyMaxBytes: 10 << 20, refusesEarly: true });
  assert.deepEqual(requests.slice(0, 2), [OPEN, PATCH_ALL]);
  assert.equal(requests.at(-1), "PUT uploads/2");
  const cursor = new BlobCursor({ name: NAME, open: blob }, NAME);
  const refused = cursor.range(0, SIZE);
  await refused.next();
  const parts: Uint8Array[] = [];
  for await (const part of cursor.range(0, SIZE)) {
    parts.push(part);
    if (parts.length === 2) await assert.rejects(refused.next(), { code: "failed", message: /is being sent again$/ });
  }
  assert.ok(Buffer.concat(parts).equals(BYTES));
  await cursor.close();
});

test("a registry that forgets every upload at its end gets the blob as often as the limit says, no more", async () => {
  for (const putStatus of [404, 500]) {
    let patches = 0;
    const cut = putStatus === 500 ? { cutAfterBytes: [1 << 20] } : {};
    await assert.rejects(
      send({ putStatus, ...cut }, (server) => {
        patches = asked(server).filter((text) => text.startsWith("PATCH")).length;
      }),
      { message: /answered with status (?:404|500)/ },
    );
    assert.ok(patches <= 4, `${patches} requests with the blob`);
  }
});

test("a registry that is busy for a moment is tried again; one that stays so is not", async () => {
  const requests = await send({ patchStatuses: [503, 500] });
  assert.equal(requests.filter((text) => text.startsWith("PATCH")).length, 3);
  await assert.rejects(
    send({ patchStatuses: [503, 503, 503, 503] }, (server) => assert.equal(server.uploads.size, 0)),
    {
      code: "failed",
      message: /^Cannot send blob sha256:\w+ to 127\.0\.0\.1:\d+\/a\/b: 127\.0\.0\.1:\d+ answered with status 503$/,
    },
  );
  await assert.rejects(
    send({ bodyMaxBytes: 1000 }, (server) => assert.equal(server.uploads.size, 0)),
    {
      code: "failed",
      message: /answered with status 413$/,
    },
  );
});

test("an answer that was lost does not make the blob go twice", async () => {
  const head = `HEAD ${NAME.digest}`;
  assert.deepEqual(await send({ losesFirstPut: true }), [OPEN, PATCH_ALL, NAME_IT, NAME_IT, head]);
});

test("a registry that announces another digest is not believed", async () => {
  const other = `sha256:${"3".repeat(64)}`;
  await assert.rejects(send({ announces: other }), (error: { code?: string; data?: object }) => {
    assert.equal(error.code, "corrupt");
    assert.deepEqual(error.data, { expected: NAME.digest, actual: other });
    return true;
  });
  // Of another algorithm it may be right.
  await send({ announces: `sha512:${"3".repeat(128)}` });
});

test("no access, no such repository: said as such, and nothing is tried again", async () => {
  for (const [status, code] of [
    [403, "no-access"],
    [404, "not-found"],
  ] as const) {
    await assert.rejects(
      send({ patchStatuses: [status] }, (server) => {
        assert.deepEqual(asked(server), [OPEN, PATCH_ALL, "DELETE uploads/1"]);
      }),
      { code },
    );
  }
});

test("a registry that cannot take a blob over is left without an open upload", async () => {
  for (const cannotMount of [false, true]) {
    const server = await startUploadServer({ cannotMount });
    const at = (name: string) => parseReference(`docker://${server.host}/${name}`);
    const first = await openDestination(at("other/place"), { registry });
    await first.putBlob({ name: NAME, open: blob });
    await first.finish();
    server.requests.length = 0;
    const destination = await openDestination(at("a/b"), { registry, mountFrom: at("other/place") });
    assert.equal(await destination.hasBlob(NAME), !cannotMount);
    const begun = [`HEAD ${NAME.digest}`, `HEAD /v2/other/place/blobs/${NAME.digest}`, OPEN];
    assert.deepEqual(asked(server), cannotMount ? [...begun, "DELETE uploads/2"] : begun);
    // What the other place does not have either is not asked for.
    const absent = { digest: `sha256:${"4".repeat(64)}`, size: 4 };
    assert.equal(await destination.hasBlob(absent), false);
    assert.equal(asked(server).at(-1), `HEAD /v2/other/place/blobs/${absent.digest}`);
    assert.equal(server.uploads.size, 0);
    await destination.finish();
    await server.stop();
  }
});

test("a registry that answers a mount with an upload that is nowhere gets the blob in one of its own", async () => {
  const server = await startUploadServer({ cannotMount: true, hidesUpload: true });
  const at = (name: string) => parseReference(`docker://${server.host}/${name}`);
  server.blobs.set(`other/place ${NAME.digest}`, BYTES);
  const destination = await openDestination(at("a/b"), { registry, mountFrom: at("other/place") });
  assert.equal(await destination.hasBlob(NAME), false);
  await destination.putBlob({ name: NAME, open: blob });
  await destination.finish();
  assert.ok(server.blobs.has(`a/b ${NAME.digest}`));
  await server.stop();
});
