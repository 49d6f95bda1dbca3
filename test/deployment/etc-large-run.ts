/** A merge of 20,000 files in a process of its own, whose memory is measured: `node etc-large-run.ts DIRECTORY`. */
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mergeEtc, writeEtc } from "../../src/deployment/index.ts";
import { initRepository, type Repository } from "../../src/repository/index.ts";
import type { DirectoryNode, LeafNode } from "../../src/tree/index.ts";
import { bytes, directory, file } from "../tree/build.ts";
import { ownTree } from "./etc-fault-trees.ts";

const DIRECTORIES = 200;
const FILES_EACH = 100;
/** Of one directory in ten. */
const CHANGED_EACH = 25;
/** A file of the host's own that must not be held in memory. */
const LARGE_BYTES = 256 << 20;

/** Every second file is an object, and there are a thousand of them. */
function etcOf(repository: Repository, version: string): DirectoryNode {
  const content = (number: number): LeafNode => {
    const text = `${version} ${number} `;
    if (number % 2 === 0) return file(text);
    const object = Buffer.alloc(1000, `${version} ${number % 2000} `);
    const objectId = repository.objects.ensure(object);
    return { ...file(), content: { type: "external", sizeBytes: object.length, objectId } };
  };
  const root = directory();
  for (let at = 0; at < DIRECTORIES; at++) {
    const entries = Array.from({ length: FILES_EACH }, (_, index) => [`f${index}`, content(at * FILES_EACH + index)]);
    root.entries.set(bytes(`d${at}`), directory(Object.fromEntries(entries)));
  }
  return ownTree(root);
}

const [path = ""] = process.argv.slice(2);
const settings = { algorithm: "sha512", protection: "insecure" } as const;
using repository = (await initRepository(join(path, "repo"), settings)).repository;
const [pristine, next] = [etcOf(repository, "old"), etcOf(repository, "new")];
const livePath = join(path, "live");
await writeEtc({ repository, next: pristine, targetPath: livePath });
for (let at = 0; at < DIRECTORIES; at += 10) {
  for (let index = 0; index < CHANGED_EACH; index++) {
    appendFileSync(join(livePath, `d${at}`, `f${index}`), "local");
    writeFileSync(join(livePath, `d${at}`, `own${index}`), "own");
    rmSync(join(livePath, `d${at}`, `f${FILES_EACH - 1 - index}`));
  }
}
const chunk = Buffer.alloc(1 << 20, "large ");
for (let done = 0; done < LARGE_BYTES; done += chunk.length) appendFileSync(join(livePath, "large"), chunk);

const before = performance.now();
const targetPath = join(path, "etc");
const diff = await mergeEtc({ repository, pristine, livePath, next, targetPath, policy: "abort" });
const counts = [diff.added.length, diff.modified.length, diff.removed.length, diff.conflicts.length];
const seconds = (performance.now() - before) / 1000;
console.log(JSON.stringify({ counts, seconds, memoryMiB: process.resourceUsage().maxRSS >> 10 }));
