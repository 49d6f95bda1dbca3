/** docs/host.md, "Automatic updates": its settings are read, and say what the page says. The commands run in a guest. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { applySettings, DEFAULT_SETTINGS } from "../../src/update/automatic/settings.ts";
import { parseWindow } from "../../src/update/automatic/window.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";

test("the settings that the page shows are the defaults, a window and a condition", () => {
  const [text = ""] = fencedBlocks(readDocument("host.md"), "toml updates");
  assert.deepEqual(applySettings(DEFAULT_SETTINGS, "docs/host.md", text), {
    ...DEFAULT_SETTINGS,
    windows: [parseWindow("Sat,Sun 02:00-05:00")],
    conditions: ["ac-power"],
  });
});
