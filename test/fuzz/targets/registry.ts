/** What registries answer and what their configuration says: challenges, multipart ranges, registries.conf. */
import assert from "node:assert/strict";
import type { ByteRange } from "../../../src/oci/blobs.ts";
import { parseChallenges } from "../../../src/registry/challenge.ts";
import type { HttpResponse } from "../../../src/registry/http-response.ts";
import { PendingRanges } from "../../../src/registry/pending-ranges.ts";
import { positionedBytes } from "../../../src/registry/positioned-bytes.ts";
import { parseRegistries } from "../../../src/registry/registries-document.ts";
import { savedCorpus } from "../corpus.ts";
import type { Random } from "../random.ts";
import { type FuzzTarget, refusalOf, refusalOfSync } from "../target.ts";

const challengeTarget: FuzzTarget = {
  name: "registry-challenge",
  corpus: () => [
    Buffer.from('Bearer realm="https://a/t?x=1,2",service="b c",scope="repository:a/b:pull,push"'),
    Buffer.from('Basic realm = "a \\"quoted\\" one" , Bearer realm=https://a/t, Negotiate'),
    ...savedCorpus("registry-challenge"),
  ],
  run(input) {
    const challenges = parseChallenges([Buffer.from(input).toString("latin1")]);
    for (const { scheme } of challenges) assert.match(scheme, /^[!#$%&'*+\-.^_`|~0-9a-z]+$/);
    return challenges.length > 0;
  },
};

/** Bytes of the blob of which the answers pretend to hold parts. */
const BLOB_BYTES = 100;
const RANGES: readonly ByteRange[] = [
  { start: 0, end: 4 },
  { start: 10, end: 30 },
];

function multipart(ranges: readonly ByteRange[]): Buffer {
  const parts = ranges.map(({ start, end }) => {
    const body = Buffer.alloc(end - start, start);
    return `\r\n--b\r\nContent-Range: bytes ${start}-${end - 1}/${BLOB_BYTES}\r\n\r\n${body.toString("latin1")}`;
  });
  return Buffer.from(`${parts.join("")}\r\n--b--\r\n`, "latin1");
}

function answerOf(input: Uint8Array, random: Random): HttpResponse {
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < input.length; ) {
      const length = 1 + random.below(random.pick([1, 7, 200]));
      yield input.subarray(at, at + length);
      at += length;
    }
  }
  return {
    status: 206,
    headers: { "content-type": "multipart/byteranges; boundary=b" },
    url: new URL("https://registry.example/"),
    body,
    discard: () => {},
  };
}

const multipartTarget: FuzzTarget = {
  name: "registry-multipart",
  corpus: () => [
    multipart(RANGES),
    multipart([{ start: 0, end: BLOB_BYTES }]),
    multipart([...RANGES].reverse()),
    multipart(RANGES.slice(0, 1)),
    ...savedCorpus("registry-multipart"),
  ],
  async run(input, random) {
    const pending = new PendingRanges(RANGES, BLOB_BYTES);
    const wantedBytes = pending.missingBytes;
    let gotBytes = 0;
    const read = await refusalOf(async () => {
      for await (const part of positionedBytes(answerOf(input, random), BLOB_BYTES)) {
        assert.ok(part.offset >= 0 && part.offset + part.bytes.length <= BLOB_BYTES);
        for (const { bytes } of pending.take(part)) gotBytes += bytes.length;
      }
    });
    assert.equal(gotBytes + pending.missingBytes, wantedBytes);
    return "value" in read;
  },
};

const registriesTarget: FuzzTarget = {
  name: "registries-conf",
  corpus: () => [
    Buffer.from(
      '[[registry]]\nprefix = "a.b/c"\nlocation = "d"\n[[registry.mirror]]\nlocation = "e"\ninsecure = true\n',
    ),
    Buffer.from(
      'credential-helpers = ["a"]\n[[registry]]\nprefix = "*.a"\nblocked = true\nmirror-by-digest-only = true\n',
    ),
    Buffer.from(`[[registry]]\nprefix = "${"/".repeat(5000)}a"\nlocation = "b"\n`),
    ...savedCorpus("registries-conf"),
  ],
  run(input) {
    const read = refusalOfSync(() => parseRegistries(Buffer.from(input).toString("utf8"), "registries.conf"));
    if ("refusal" in read) return false;
    for (const { prefix, location } of read.value.rules) {
      assert.ok(prefix !== "" && (location !== undefined || prefix.startsWith("*.")));
    }
    return true;
  },
};

export const registryTargets: readonly FuzzTarget[] = [challengeTarget, multipartTarget, registriesTarget];
