/** The host program in the example: it is there, its units are, it starts fast, and it reaches a registry. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { run } from "../cli/run-verb.ts";
import { fencedBlocks, readDocument } from "../docs/markdown.ts";
import { layeredImage, randomFiles } from "../imagestore/layered-image.ts";
import { type GuestRegistry, startGuestRegistry } from "./guest-registry.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, sealedExample, systemState } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

describe("the host program in an image", ONLY_IN_WHOLE_SUITE, () => {
  let directory: TemporaryDirectory;
  let registry: GuestRegistry;
  let guest: VirtualMachine;
  let pushedDigest: string;
  before(async () => {
    const example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "host-program" });
    registry = await startGuestRegistry();
    const pushed = await layeredImage(join(directory.path, "pushed"), [randomFiles("file", [100_000])]);
    pushedDigest = (await pushed.layout.readIndex()).manifests[0]?.digest ?? "none";
    const target = `docker://${registry.host}/example/os:1`;
    const copied = await run("image", "copy", "--insecure-policy", "--tls-verify", "false", pushed.reference, target);
    assert.equal(copied.exitCode, 0, copied.err);
    guest = await bootSealed(example, example.diskPath, { network: true });
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
  });
  after(async () => {
    await guest?.stop();
    await registry?.stop();
    directory?.remove();
  });

  test("is one folder and one command, and no unit of it has failed or waits for anything", async () => {
    assert.equal(await guestText(guest, "readlink -f /usr/bin/sealroot"), "/usr/lib/sealroot/bin/sealroot");
    assert.match(await guestText(guest, "sealroot --version"), /^sealroot \d+\.\d+\.\d+$/);
    const units = "systemctl list-units --all --plain --no-legend --state=failed; systemctl list-jobs --no-legend";
    assert.equal(await guestText(guest, units), "");
    const state = "systemctl is-enabled sealroot-fetch-apply-updates.timer sealroot-finalize-staged.service";
    assert.deepEqual((await guest.run(state)).stdout.toString().split("\n"), ["disabled", "static", ""]);
    const verified = await guest.run(
      "systemd-analyze verify --man=no --recursive-errors=no /usr/lib/systemd/system/sealroot-*",
    );
    assert.deepEqual([verified.exitCode, verified.stderr.toString()], [0, ""]);
  });

  test("pulls from a registry with the addresses that the network gave it", async () => {
    const refused = await guest.run(
      `sealroot image copy -q docker://${registry.guestHost}/example/os:1 oci:/var/tmp/os:1`,
    );
    assert.equal(refused.exitCode, 1, "HTTP is not spoken unasked");
    await guestText(guest, registry.allow);
    await guestText(guest, "/usr/lib/systemd/systemd-networkd-wait-online --timeout=120");
    await guestText(guest, `sealroot image copy -q docker://${registry.guestHost}/example/os:1 oci:/var/tmp/os:1`);
    const index = JSON.parse(await guestText(guest, "cat /var/tmp/os/index.json"));
    assert.equal(index.manifests[0].digest, pushedDigest);
  });

  test("updates itself as docs/host.md says: enabled, asked what it would do, run", async () => {
    const document = readDocument("host.md");
    const [settings = ""] = fencedBlocks(document, "toml updates");
    const [commands = ""] = fencedBlocks(document, "sh updates");
    await guestText(guest, `mkdir /etc/sealroot && cat >/etc/sealroot/updates.toml <<'END'\n${settings}\nEND`);
    assert.match(await guestText(guest, commands), /^The next question to the registry is due at 20[0-9:.TZ-]+$/);
    assert.equal(await guestText(guest, "systemctl is-active sealroot-fetch-apply-updates.timer"), "active");
    // As if its last question had failed long ago: it is due. Nothing answers where the example's image is published.
    const record = "/var/lib/sealroot/updates.json";
    await guestText(guest, `mkdir -p /var/lib/sealroot && echo '{"lastCheckMs":1,"failures":1}' >${record}`);
    assert.equal(
      (await guest.run("systemctl start sealroot-fetch-apply-updates.service", BOOT_TIMEOUT_MS)).exitCode,
      1,
    );
    assert.equal(JSON.parse(await guestText(guest, `cat ${record}`)).failures, 2);
    const journal = await guestText(guest, "journalctl --output=cat --unit=sealroot-fetch-apply-updates.service");
    assert.match(journal, /^sealroot: Cannot reach https?:\/\/localhost: connect ECONNREFUSED/m);
  });
});
