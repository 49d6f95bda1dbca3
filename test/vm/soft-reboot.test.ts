/** What changes a running sealed host without the firmware: a layer over /usr, a soft reboot; and what asks it by varlink. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import { STICK, stickOf } from "./image-disk.ts";
import { RunningHost } from "./running-host.ts";
import { BOOT_TIMEOUT_MS, type SealedExample, sealedExample, systemState } from "./sealed-example.ts";
import { type VariantImage, variantImage } from "./variant-image.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const SOCKET = "/run/sealroot/varlink";

/**
 * The machine's strings, which start the agent, are read by the first system alone (systemd.system-credentials(7)): the next
 * one has it as a unit of its /etc, which the merge takes there.
 */
const AGENT_AGAIN = `cp /run/credentials/@system/sealroot.agent /etc/agent-again
cd /etc/systemd/system && mkdir -p sysinit.target.wants && ln -s ../agent-again.service sysinit.target.wants/
cat >agent-again.service <<'END'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/sh /etc/agent-again
END`;

describe("a sealed host that goes on without a reboot", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let second: VariantImage;
  let host: RunningHost;

  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "soft-reboot" });
    const images = join(directory.path, "images");
    mkdirSync(images);
    second = await variantImage(example, images, { name: "second", files: { "usr/share/second": "2\n" } });
    host = await RunningHost.make(example, { stick: await stickOf(images) });
    await host.start();
  });
  after(async () => {
    await host?.remove();
    directory?.remove();
  });

  const call = async (method: string, parameters: string, ...words: readonly string[]) =>
    (await host.text(`varlinkctl ${words.join(" ")} --json=short call ${SOCKET} ${method} '${parameters}'`))
      .split("\n")
      .map((line) => JSON.parse(line));

  test("is asked by varlinkctl, as root and nobody else", async () => {
    assert.match(await host.text(`varlinkctl introspect ${SOCKET} containers.bootc.update`), /^method Upgrade\(/m);
    const [reply] = await call("containers.bootc.GetStatus", "{}");
    assert.deepEqual(reply.problems, []);
    assert.deepEqual(reply.host, await host.json("status", "--format-version", "1"));
    const nobody = await host.guest.run(`setpriv --reuid=65534 --clear-groups varlinkctl info ${SOCKET}`);
    assert.notEqual(nobody.exitCode, 0);
    assert.match(nobody.stderr.toString(), /Permission denied/);
  });

  test("has /usr writable under a layer in memory, until the next boot", async () => {
    assert.equal((await host.guest.run("touch /usr/bin/tried")).exitCode, 1);
    assert.equal(
      await host.run("usr-overlay"),
      "A read/write overlayfs is now mounted on /usr\nAll changes there will be discarded on reboot.\n",
    );
    await host.text("touch /usr/bin/tried");
    assert.equal(await host.run("usr-overlay"), "An overlayfs is already mounted on /usr\n");
    assert.match(await host.run("status", "--format", "humanreadable"), /overlay/i);
  });

  test("goes on into an update by a soft reboot, with the kernel that runs", async () => {
    const bootId = await host.text("cat /proc/sys/kernel/random/boot_id");
    await host.text("echo mine >/etc/mine; echo data >/var/lib/data");
    await host.run(
      ...["switch", "--insecure-policy", "--quiet", "--soft-reboot=required"],
      ...["--transport", "oci", `${STICK}/second-sealed:second`],
    );
    const { status } = await host.json("status");
    assert.equal(status.staged.softRebootCapable, true);
    await host.text(AGENT_AGAIN);
    await host.guest.run("systemctl soft-reboot --no-block");
    // The agent goes down with the old root, and comes up from the new one.
    await host.guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(host.guest), "running");
    assert.equal(await host.root(), `composefs:${second.deploymentId}`);
    assert.equal(await host.text("cat /proc/sys/kernel/random/boot_id"), bootId);
    assert.match(await host.text("findmnt -no OPTIONS /"), /^ro,.*verity=require/);
    assert.equal(await host.text("cat /usr/share/second /etc/mine /var/lib/data"), "2\nmine\ndata");
    assert.equal((await host.guest.run("ls /usr/bin/tried")).exitCode, 2);
    const { status: now } = await host.json("status");
    assert.deepEqual(
      [now.booted.composefs.verity, now.staged, now.rollback.composefs.verity],
      [second.deploymentId, null, example.deploymentId],
    );
  });

  test("boots the same after a reboot of the machine", async () => {
    const unit = "/etc/systemd/system/agent-again.service /etc/systemd/system/sysinit.target.wants/agent-again.service";
    await host.text(`rm ${unit} /etc/agent-again`);
    await host.restart();
    assert.equal(await host.root(), `composefs:${second.deploymentId}`);
    assert.equal(await host.text("cat /etc/mine /var/lib/data"), "mine\ndata");
  });
});
