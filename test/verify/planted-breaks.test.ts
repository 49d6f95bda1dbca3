/** Breaks that are planted on copies of a sealed disk, each named at the link where the machine refuses it. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { ukiPath } from "../../src/bls/index.ts";
import { silent } from "../../src/events/index.ts";
import { firstBroken, NO_POLICY, reportLines, verify } from "../../src/verify/index.ts";
import { type FixtureDisk, FixtureDisks } from "./fixture-disk.ts";
import { BREAKS } from "./planted.ts";

const disks = new FixtureDisks();
after(() => disks[Symbol.dispose]());
let sealed: FixtureDisk;
before(async () => {
  sealed = await disks.make();
});

for (const [name, planted] of Object.entries(BREAKS)) {
  test(`planted: ${name}`, async () => {
    const disk = await disks.copyOf(sealed);
    const [entry] = disk.listEsp("loader/entries");
    assert.ok(entry !== undefined);
    await planted.plant({ disk, sealed, disks, uki: ukiPath(sealed.deploymentId).slice(1), entry });
    const report = await verify(disk.path, { keys: undefined, policy: NO_POLICY, events: silent, ...planted.options });
    const text = [...reportLines(report)].join("\n");
    const broken = firstBroken(report.links);
    assert.equal(broken?.link.name, planted.link, text);
    const { says, path, expected, found, line, state = "broken" } = planted;
    assert.equal(report.state, state, text);
    if (says !== undefined) assert.match(broken?.finding.message ?? "", says);
    if (path !== undefined) assert.match(broken?.finding.path ?? "", path);
    if (expected !== undefined) assert.match(broken?.finding.expected ?? "", expected);
    if (found !== undefined) assert.match(broken?.finding.found ?? "", found);
    if (line !== undefined) assert.match(text, line);
    rmSync(dirname(disk.path), { recursive: true });
  });
}

test("there are at least 25 breaks, and what is no break is told from them", () => {
  const cases = Object.values(BREAKS);
  assert.ok(cases.filter(({ link }) => link !== undefined).length >= 25);
  assert.ok(cases.filter(({ link }) => link === undefined).length >= 5);
});
