/**
 * Prints what the tree of a layer of COUNT small files takes: `node --expose-gc large-layer.ts COUNT`. A process of its own,
 * so that nothing else is on its heap.
 */
import { setTimeout } from "node:timers/promises";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { layerEntry } from "../../src/imagestore/tree/layer-entries.ts";
import { encodeTarHeader, TarParser, tarPadding } from "../../src/tar/index.ts";
import { applyLayerEntry, newDirectory } from "../../src/tree/index.ts";

const COMMON = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_000_000_000n };
const FILES_IN_DIRECTORY = 1000;

/** The tar of so many files of eight bytes, below `usr`, entry by entry. */
export function* largeLayer(count: number): Generator<Uint8Array> {
  const directory = (path: string) => encodeTarHeader({ ...COMMON, kind: "directory", path: byteStringOfText(path) });
  yield directory("usr");
  for (let index = 0; index < count; index++) {
    const parent = `usr/d${Math.floor(index / FILES_IN_DIRECTORY)}`;
    if (index % FILES_IN_DIRECTORY === 0) yield directory(parent);
    const body = Buffer.from(String(index).padStart(8, "0"));
    const path = byteStringOfText(`${parent}/file-${index}`);
    yield Buffer.concat([
      encodeTarHeader({ ...COMMON, kind: "file", path, sizeBytes: body.length }),
      body,
      tarPadding(body.length),
    ]);
  }
}

if (import.meta.main) {
  const count = Number(process.argv[2]);
  const root = newDirectory();
  const entry: ConstructorParameters<typeof TarParser>[0]["entry"] = (parsed, body) =>
    applyLayerEntry(root, layerEntry(parsed, body));
  const parser = new TarParser({ inline: () => {}, body: () => {}, entry }, 64);
  // Buffers are freed some time after their views have been collected.
  const taken = async () => {
    for (let round = 0; round < 4; round++) {
      globalThis.gc?.();
      await setTimeout(20);
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = await taken();
  for (const piece of largeLayer(count)) parser.push(piece);
  process.stdout.write(`${Math.round(((await taken()) - before) / count)} ${root.entries.size}\n`);
}
