import assert from "node:assert/strict";
import { test } from "node:test";
import { runCampaign } from "./campaign.ts";
import { TARGETS } from "./targets/index.ts";

/** Always the same inputs: this is a test, the search is `./just fuzz`. */
const SEED = 1;
const EXECUTIONS: Readonly<Record<string, number>> = { repository: 40, gzip: 150, zstd: 150, "splitstream-parts": 150 };
const EXECUTIONS_DEFAULT = 300;

for (const target of TARGETS) {
  test(`${target.name}: hostile inputs are read or refused, nothing else`, { timeout: 120_000 }, async () => {
    const executions = EXECUTIONS[target.name] ?? EXECUTIONS_DEFAULT;
    const result = await runCampaign(target, { seed: SEED, executions });
    assert.ok(result.executions >= executions);
    assert.ok(result.accepted > 0, "no input was accepted: the harness itself is broken");
    assert.ok(result.accepted < result.executions || target.name === "repository", "no input was refused");
  });
}
