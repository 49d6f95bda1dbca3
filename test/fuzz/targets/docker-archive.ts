/** Docker archives: the members, the links between them, manifest.json, and the manifests made of them. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { byteStringOfText } from "../../../src/bytes/index.ts";
import { openSource } from "../../../src/images/sources/open-source.ts";
import { digestOf, documentBytes } from "../../../src/oci/index.ts";
import { temporaryDirectory } from "../../../src/platform/index.ts";
import { type TarMember, writeTar } from "../../../src/tar/index.ts";
import { mutateBytes } from "../mutate.ts";
import type { Random } from "../random.ts";
import { fixChecksums, tarCorpus } from "../tar-corpus.ts";
import { type FuzzTarget, refusalOf } from "../target.ts";

const METADATA = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0n };

async function dockerArchive(): Promise<Buffer> {
  const [layer = Buffer.alloc(0)] = tarCorpus();
  const config = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(layer)] } };
  const images = [
    { Config: "c.json", RepoTags: ["debian:13"], Layers: ["a/layer.tar"] },
    { Config: "c.json", RepoTags: null, Layers: ["b/layer.tar"] },
  ];
  const file = (path: string, body: Uint8Array): TarMember => ({
    header: { kind: "file", path: byteStringOfText(path), ...METADATA },
    body,
  });
  const link = { kind: "symlink" as const, path: byteStringOfText("a/layer.tar"), ...METADATA };
  const members = [
    file("manifest.json", documentBytes(images)),
    file("c.json", documentBytes(config)),
    { header: { ...link, linkPath: byteStringOfText("../l.tar") } },
    file("l.tar", layer),
    file("b/layer.tar", gzipSync(layer)),
  ];
  const parts: Uint8Array[] = [];
  for await (const part of writeTar(members)) parts.push(part);
  return Buffer.concat(parts);
}

/** Opens it and reads all there is: what is given out has the digest under which it was asked for. */
async function readAll(path: string, tag: string | undefined): Promise<void> {
  const source = await openSource({ transport: "docker-archive", path, tag });
  try {
    for (const entry of source.index.manifests) {
      const bytes = await source.readManifest(entry);
      assert.equal(digestOf(bytes), entry.digest);
      const manifest = JSON.parse(Buffer.from(bytes).toString());
      for (const blob of [manifest.config, ...manifest.layers]) for await (const _ of source.blobs.read(blob));
    }
  } finally {
    await source.close();
  }
}

export const dockerArchiveTarget: FuzzTarget = {
  name: "docker-archive",
  corpus: async () => [await dockerArchive(), ...tarCorpus()],
  mutate(input, other, random) {
    const bytes = mutateBytes(input, other, random);
    if (random.below(8) > 0) fixChecksums(bytes);
    return bytes;
  },
  async run(input, random: Random) {
    using directory = temporaryDirectory();
    const path = join(directory.path, "archive.tar");
    writeFileSync(path, input);
    const tag = random.pick(["", "@1", "debian:13"]) || undefined;
    return "value" in (await refusalOf(() => readAll(path, tag)));
  },
};
