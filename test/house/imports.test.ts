import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  CLOSED,
  INITRAMFS_ROOMS,
  INNER_ROOMS,
  LAYERS,
  NODE_FREE_ROOMS,
  PLATFORM_ONLY,
  PURE_NODE_MODULES,
  ROOM_MAX_LINES,
  SAME_LAYER,
} from "./rooms.ts";
import { CHECKOUT, importCircles, readSources, roomOf, type SourceFile } from "./sources.ts";

const sources = readSources("src/**/*.ts");
const bootProgram = readSources("initramfs/**/*.ts");
const heightOf = new Map(LAYERS.flatMap(({ rooms }, height) => rooms.map((room) => [room, height] as const)));
const formatRooms = LAYERS.find(({ name }) => name === "formats")?.rooms ?? [];

/** Lists every import that `refuses` objects to, so that one run shows all of them. */
function offendingImports(files: readonly SourceFile[], refuses: (file: SourceFile, name: string) => boolean) {
  return files.flatMap((file) =>
    file.imports.filter((name) => refuses(file, name)).map((name) => `${file.path} imports ${name}`),
  );
}

function offendingCode(files: readonly SourceFile[], pattern: RegExp) {
  return files.flatMap((file) => {
    const found = pattern.exec(file.code);
    return found === null ? [] : [`${file.path} has ${found[0]}`];
  });
}

/** Whether `from` may import from the room `to`. */
function allowed(from: string, to: string): boolean {
  const height = heightOf.get(from) ?? -1;
  const target = heightOf.get(to) ?? Number.POSITIVE_INFINITY;
  if (from === to) return true;
  if (target === height) return SAME_LAYER[from]?.includes(to) ?? false;
  return target < height && !CLOSED[LAYERS[height]?.name ?? ""]?.includes(to);
}

test("every folder of src/ is a room with a layer", () => {
  const rooms = readdirSync(join(CHECKOUT, "src"));
  assert.deepEqual(
    rooms.filter((room) => !heightOf.has(room)),
    [],
  );
});

test("every room has an index.ts whose first comment says what it is for", () => {
  const rooms = readdirSync(join(CHECKOUT, "src")).filter((room) => room !== "cli");
  const without = rooms.filter((room) => {
    const path = join(CHECKOUT, "src", room, "index.ts");
    return !existsSync(path) || !/^\/\*\*\n \* .{20,}/.test(readFileSync(path, "utf8"));
  });
  assert.deepEqual(without, []);
});

test("imports point downwards, and sideways only where the table says so", () => {
  const wrong = offendingImports(sources, (file, name) => {
    const inside = name.startsWith("src/") || name.startsWith("initramfs/");
    return inside && !allowed(file.room, roomOf(name));
  });
  assert.deepEqual(wrong, []);
});

test("a room is entered through its index.ts", () => {
  // What runs in the initramfs takes single files: a whole room would bring parts that need Node.
  const files = sources.filter((file) => !NODE_FREE_ROOMS.includes(file.room));
  const wrong = offendingImports(files, (file, name) => {
    // The command line starts with few files: it takes what it needs of the verbs, and a verb when it is called.
    if (file.room === "cli" && roomOf(name) === "verbs") return false;
    return name.startsWith("src/") && roomOf(name) !== file.room && !name.endsWith("/index.ts");
  });
  assert.deepEqual(wrong, []);
});

/** The folder of a room that a file is in; "." for the room's own files. */
function innerRoomOf(path: string): string {
  const [, , folder = ".", ...rest] = path.split("/");
  return rest.length === 0 ? "." : folder;
}

test("inner rooms import each other only where the table says so", () => {
  const wrong = offendingImports(sources, (file, name) => {
    const walls = INNER_ROOMS[file.room];
    if (walls === undefined || roomOf(name) !== file.room || file.path.endsWith(`${file.room}/index.ts`)) return false;
    const [from, to] = [innerRoomOf(file.path), innerRoomOf(name)];
    return from !== to && !(walls[from]?.includes(to) ?? false);
  });
  assert.deepEqual(wrong, []);
});

test("a room without inner rooms has at most 4,000 lines, and so has each inner room", () => {
  const lines = new Map<string, number>();
  for (const { path, room } of sources) {
    const place = INNER_ROOMS[room] === undefined ? room : `${room}/${innerRoomOf(path)}`;
    const count = readFileSync(join(CHECKOUT, path), "utf8").split("\n").length - 1;
    lines.set(place, (lines.get(place) ?? 0) + count);
  }
  assert.deepEqual(
    [...lines].filter(([, count]) => count > ROOM_MAX_LINES),
    [],
  );
});

test("the table of imports inside a layer has no cycle", () => {
  const visit = (room: string, above: readonly string[]): void => {
    assert.ok(!above.includes(room), `cycle: ${[...above, room].join(" -> ")}`);
    for (const next of SAME_LAYER[room] ?? []) visit(next, [...above, room]);
  };
  for (const room of Object.keys(SAME_LAYER)) visit(room, []);
});

/** Imports of types alone count too: what two files know of each other cannot be read, or moved, one after the other. */
test("no files import each other in a circle", () => {
  const circles = importCircles([...sources, ...bootProgram]);
  assert.deepEqual(
    circles.map((files) => [...files, files[0]].join(" -> ")),
    [],
  );
});

test("a circle is found, of two files, of many, and of one with itself", () => {
  const file = (path: string, ...imports: string[]) => ({ path, room: "", code: "", imports });
  assert.deepEqual(importCircles([file("a", "b", "c", "node:fs"), file("b", "c"), file("c")]), []);
  assert.deepEqual(importCircles([file("a", "c"), file("c", "b"), file("b", "c")]), [["b", "c"]]);
  assert.deepEqual(importCircles([file("d", "c"), file("a", "b"), file("b", "d"), file("c", "a"), file("e", "e")]), [
    ["a", "b", "d", "c"],
    ["e"],
  ]);
});

test("only platform/ starts programs, makes system calls and starts threads", () => {
  const wrong = offendingImports(sources, (file, name) => file.room !== "platform" && PLATFORM_ONLY.includes(name));
  assert.deepEqual(wrong, []);
});

test("format rooms are pure: no files, no process, no clock", () => {
  const formats = sources.filter((file) => formatRooms.includes(file.room));
  const impure = offendingImports(formats, (_, name) => name.startsWith("node:") && !PURE_NODE_MODULES.includes(name));
  assert.deepEqual(impure, []);
  assert.deepEqual(offendingCode(formats, /\bprocess\.|\bDate\.now\(|\bnew Date\(\)|\bperformance\.|\bfetch\(/), []);
});

test("what also runs in the initramfs needs nothing of Node", () => {
  const files = [...sources.filter((file) => NODE_FREE_ROOMS.includes(file.room)), ...bootProgram];
  assert.deepEqual(
    offendingImports(files, (_, name) => name.startsWith("node:")),
    [],
  );
  assert.deepEqual(offendingCode(files, /\bBuffer\.|\bnew Text(?:De|En)coder\b|\bprocess\./), []);
});

test("the boot program takes only its four rooms from src/", () => {
  const wrong = offendingImports(bootProgram, (_, name) => {
    return name.startsWith("src/") && !INITRAMFS_ROOMS.includes(roomOf(name));
  });
  assert.deepEqual(wrong, []);
});

test("only cli/ prints", () => {
  const others = sources.filter((file) => file.room !== "cli");
  assert.deepEqual(offendingCode(others, /\bconsole\.(?:log|error|warn|info|debug)\(|\bprocess\.std(?:out|err)\b/), []);
});
