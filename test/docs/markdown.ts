/** Fenced blocks of the documents, which the tests hold to what the code does. */
import { readFileSync } from "node:fs";

/** The text of a document in `docs/`. */
export function readDocument(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
}

/** The contents of all fenced blocks with exactly this info string, in order, each with its last newline. */
export function fencedBlocks(document: string, info: string): string[] {
  const blocks = document.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm);
  return [...blocks].filter((block) => block[1] === info).map((block) => block[2] ?? "");
}

/** Bytes that a hex block shows: `00000010: 0123 4567   remark`. */
export interface ShownBytes {
  readonly offset: number;
  readonly hex: string;
}

/** The lines of a hex block. */
export function shownBytes(block: string): ShownBytes[] {
  return block
    .trimEnd()
    .split("\n")
    .map((line) => {
      const match = /^([0-9a-f]{8}): ((?:[0-9a-f]{2,4} )*[0-9a-f]{2,4})(?: {3,}.*)?$/.exec(line);
      if (match === null) throw new Error(`not a line of a hex block: ${line}`);
      return { offset: Number.parseInt(match[1] ?? "", 16), hex: (match[2] ?? "").replaceAll(" ", "") };
    });
}
