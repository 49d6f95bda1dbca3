/** What status tells of the boot chain, link by link, and of the next boot. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CommandLine, ukiPath } from "../../src/bls/index.ts";
import { type HostPlaces, readBootedChain, readHost, statusDocument, statusText } from "../../src/host/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import { FixtureHost } from "./fixture-host.ts";
import { sealedHost } from "./sealed-host.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/status.json"), "utf8"));
const OTHER = "ab".repeat(64);

async function chainOf(places: HostPlaces) {
  const read = await readHost(places);
  const chain = await readBootedChain(places, read);
  const document = statusDocument(read, { withOwn: true, chain });
  assert.deepEqual(faultsOf(SCHEMA, JSON.parse(JSON.stringify(document))), []);
  const lines = statusText(read, { bootedOnly: false, verbose: true, chain });
  const line = lines.find((text) => text.trim().startsWith("Chain: "));
  return { ...document.sealroot?.chain, line: line?.trim() };
}

test("a sealed host that Secure Boot has started is verified, and says so", async () => {
  using host = await FixtureHost.make();
  const { places } = await sealedHost(host);
  assert.deepEqual(await chainOf(places), {
    ...{ verified: true, brokenLink: null, message: null },
    line: "Chain: verified",
  });
});

test("the first link that does not hold is named", async () => {
  using host = await FixtureHost.make();
  const { id, uki, places, turnSecureBoot } = await sealedHost(host);
  const booted = places.booted ?? assert.fail();
  const broken = async (change: Partial<HostPlaces>, brokenLink: string, message: string) => {
    const line = `Chain: not verified: ${message}`;
    assert.deepEqual(await chainOf({ ...places, ...change }), { verified: false, brokenLink, message, line });
  };
  const running = (text: string) => ({ booted: { ...booted, commandLine: CommandLine.parse(text) } });
  await broken(
    running(`composefs=${OTHER} rw`),
    "command-line",
    `the kernel was given ${OTHER}, which the UKI does not name`,
  );
  await broken(
    { booted: { ...booted, verityRequired: false } },
    "root",
    "the root is mounted without fs-verity being required",
  );
  const accepts = "the UKI accepts an image without fs-verity";
  await broken({ booted: { ...booted, missingVerityAllowed: true } }, "command-line", accepts);

  const bytes = readFileSync(uki);
  const at = bytes.indexOf(`composefs=${id}`);
  bytes[at + 10 + 128] = 0x09;
  writeFileSync(uki, bytes);
  const refused =
    "Cannot use the UKI: firmware with the keys of this machine refuses it, as its digest is not the one that was signed";
  await broken({}, "uki", refused);

  turnSecureBoot(0);
  await broken({}, "firmware", "Secure Boot is off");
  rmSync(uki);
  await broken({}, "uki", `there is no ${ukiPath(id)} on the ESP`);
});

test("nothing is said of a host that does not run", async () => {
  using host = await FixtureHost.make();
  const { places } = await sealedHost(host);
  const offline = { ...places, booted: undefined };
  assert.equal(await readBootedChain(offline, await readHost(offline)), undefined);
});

test("what the next boot changes: nothing, or which deployment and which arguments", async () => {
  using host = await FixtureHost.make();
  const first = await host.add();
  const second = await host.add({
    commandLine: (id) => `composefs=${id} rw quiet`,
    files: [{ path: "usr/bin/new", content: "new" }],
  });
  host.menu(first, second);
  const pendingOf = async () => statusDocument(await readHost(host.places(first)), { withOwn: true }).sealroot?.pending;
  assert.equal(await pendingOf(), null);
  host.menu(second, first);
  assert.deepEqual(await pendingOf(), {
    ...{ verity: second, reason: "rollback", kernelChanges: false },
    ...{ argumentsAdded: ["quiet"], argumentsRemoved: [] },
  });
  const lines = statusText(await readHost(host.places(first)), { bootedOnly: false, verbose: true });
  assert.ok(
    lines.includes(`Next boot: rollback to ${second.slice(0, 12)}…: the same kernel, arguments +quiet`),
    lines.join("\n"),
  );
});
