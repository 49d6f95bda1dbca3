/** What a soft reboot goes by: where Secure Boot is on, nothing that nobody has signed. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { ukiPath } from "../../src/bls/index.ts";
import { type Host, type HostDeployment, readHost } from "../../src/host/index.ts";
import { softRebootLine } from "../../src/host/soft-reboot/signed-line.ts";
import { FixtureHost } from "./fixture-host.ts";
import { sealedHost } from "./sealed-host.ts";

const deploymentOf = (host: Host, id: string): HostDeployment =>
  [host.booted, host.rollback, ...host.others].find((one) => one?.deploymentId === id) ?? assert.fail(id);

async function twoDeployments(host: FixtureHost) {
  const { id, places, signer, turnSecureBoot } = await sealedHost(host);
  const next = await host.add({ signer, files: [{ path: "usr/bin/new", content: "new" }] });
  host.menu(id, next);
  const line = async () => softRebootLine(places, deploymentOf(await readHost(places), next));
  return { next, line, turnSecureBoot, uki: `${host.bootDirectory}/${ukiPath(next)}` };
}

test("a UKI that the firmware would start gives its line, and a permit for its image alone", async () => {
  using host = await FixtureHost.make();
  const { next, line } = await twoDeployments(host);
  const { commandLine, permit } = await line();
  assert.match(commandLine.toString(), new RegExp(`^composefs=${next} `));
  assert.equal(permit, `composefs=${next}\n`);
});

test("a UKI with another line is refused while Secure Boot is on", async () => {
  using host = await FixtureHost.make();
  const { next, line, turnSecureBoot, uki } = await twoDeployments(host);
  const bytes = readFileSync(uki);
  bytes.write(" x", bytes.indexOf(`composefs=${next}`) + `composefs=${next}`.length);
  writeFileSync(uki, bytes);
  await assert.rejects(line(), { code: "corrupt", message: /firmware with the keys of this machine refuses it/ });
  turnSecureBoot(0);
  assert.match((await line()).commandLine.toString(), / x/);
  rmSync(uki);
  await assert.rejects(line(), { code: "not-found", message: /^Cannot prepare a soft reboot: / });
});

test("a deployment without a UKI is refused while Secure Boot is on", async () => {
  using host = await FixtureHost.make();
  const { id, places, turnSecureBoot } = await sealedHost(host);
  const deployment = deploymentOf(await readHost(places), id);
  const entry = deployment.entry ?? assert.fail();
  const plain = {
    ...deployment,
    entry: { ...entry, entry: { ...entry.entry, target: { type: "linux" as const, linux: "/vmlinuz", initrd: [] } } },
  };
  await assert.rejects(softRebootLine(places, plain), {
    code: "untrusted",
    message: "Cannot prepare a soft reboot: Secure Boot is on, and nobody has signed this deployment's command line",
  });
  turnSecureBoot(0);
  assert.equal((await softRebootLine(places, plain)).permit, "unsealed\n");
});
