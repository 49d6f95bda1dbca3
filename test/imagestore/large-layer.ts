/**
 * Prints what a step of pulling a layer of COUNT files takes, in bytes a file: `node --expose-gc large-layer.ts STEP COUNT`.
 * A process of its own, so that nothing else is on its heap.
 */
import { hash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { byteStringOfText } from "../../src/bytes/index.ts";
import { layOutErofs } from "../../src/erofs/index.ts";
import { layerEntry } from "../../src/imagestore/tree/layer-entries.ts";
import { SplitStreamWriter } from "../../src/splitstream/index.ts";
import { encodeTarHeader, TarParser, tarPadding } from "../../src/tar/index.ts";
import { applyLayerEntry, type DirectoryNode, newDirectory } from "../../src/tree/index.ts";

const COMMON = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_000_000_000n };
const FILES_IN_DIRECTORY = 1000;
/** Up to this many bytes a file is kept in the image; a larger one is an object. */
export const SMALL_FILE_BYTES = 8;
export const OBJECT_BYTES = 100;

/** The tar of a bootable image of so many files, all different, below `usr`, entry by entry. */
export function* largeLayer(count: number, fileBytes: number): Generator<Uint8Array> {
  const directory = (path: string) => encodeTarHeader({ ...COMMON, kind: "directory", path: byteStringOfText(path) });
  for (const path of ["boot", "sysroot", "usr"]) yield directory(path);
  for (let index = 0; index < count; index++) {
    const parent = `usr/d${Math.floor(index / FILES_IN_DIRECTORY)}`;
    if (index % FILES_IN_DIRECTORY === 0) yield directory(parent);
    const body = Buffer.from(String(index).padStart(fileBytes, "0"));
    const path = byteStringOfText(`${parent}/file-${index}`);
    yield Buffer.concat([
      encodeTarHeader({ ...COMMON, kind: "file", path, sizeBytes: body.length }),
      body,
      tarPadding(body.length),
    ]);
  }
}

/** The tree of that layer. */
function largeTree(count: number, fileBytes: number): DirectoryNode {
  const root = newDirectory();
  const parser = new TarParser(
    {
      inline: () => {},
      body: () => {},
      entry: (entry, body) => {
        const reference = hash("sha512", entry.path);
        applyLayerEntry(root, layerEntry(entry, body.type === "streamed" ? { type: "external", reference } : body));
      },
    },
    64,
  );
  for (const piece of largeLayer(count, fileBytes)) parser.push(piece);
  return root;
}

async function largeStream(count: number): Promise<SplitStreamWriter> {
  const stream = new SplitStreamWriter("sha512", "ocilayer");
  for (let index = 0; index < count; index++) {
    stream.external(hash("sha512", String(index)), OBJECT_BYTES);
    await stream.drained();
  }
  return stream;
}

/** Memory in use when nothing is to be freed. */
async function usedBytes(): Promise<number> {
  // Buffers are freed some time after their views have been collected.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await setTimeout(20);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Each prepares what it begins with, and gives the step, which returns what it keeps. */
const STEPS: Readonly<Record<string, (count: number) => () => unknown>> = {
  tree: (count) => () => largeTree(count, SMALL_FILE_BYTES),
  stream: (count) => () => largeStream(count),
  layout: (count) => {
    const root = largeTree(count, OBJECT_BYTES);
    return () => layOutErofs(root, { form: "v1", algorithm: "sha512" });
  },
  writing: (count) => {
    const layout = layOutErofs(largeTree(count, OBJECT_BYTES), { form: "v1", algorithm: "sha512" });
    return () => {
      const pieces = layout.pieces();
      pieces.next();
      return pieces;
    };
  },
};

if (import.meta.main) {
  const [step = "", count = ""] = process.argv.slice(2);
  const work = STEPS[step]?.(Number(count));
  if (work === undefined) throw new Error(`unknown step ${step}`);
  const before = await usedBytes();
  const kept = await work();
  const bytes = (await usedBytes()) - before;
  process.stdout.write(`${Math.round(bytes / Number(count))} ${typeof kept}\n`);
}
