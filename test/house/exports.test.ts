import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

const COMMAND_LINE = ["cli", "verbs"];
const rooms = readdirSync(new URL("../../src", import.meta.url)).sort();

test("every room but the command line can be imported by the package's name", async () => {
  for (const room of rooms.filter((name) => !COMMAND_LINE.includes(name))) {
    const exported: object = await import(`sealroot/${room}`);
    assert.ok(Object.keys(exported).length > 0, room);
  }
  for (const room of COMMAND_LINE) {
    await assert.rejects(import(`sealroot/${room}`), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
  }
});
