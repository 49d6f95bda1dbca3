/** A disk whose /etc and /var were changed without root boots with them; a deployment of it is mounted by its own program. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { run } from "../cli/run-verb.ts";
import { BOOT_TIMEOUT_MS, bootSealed, guestText, sealedExample, systemState } from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

/** At its first boot it leaves a mark. */
const UNIT = `[Unit]
Description=Edited into the disk
[Service]
Type=oneshot
ExecStart=/bin/sh -c "cat /etc/edited >/run/edited"
[Install]
WantedBy=multi-user.target
`;
const PHYSICAL = "mkdir -p /run/physical /run/installed && mount /dev/vda3 /run/physical";

describe("an edited disk", ONLY_IN_WHOLE_SUITE, () => {
  let directory: TemporaryDirectory;
  let guest: VirtualMachine;
  let installed: { readonly diskPath: string; readonly deploymentId: string };

  before(async () => {
    const example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "edited" });
    installed = { diskPath: join(directory.path, "disk.img"), deploymentId: example.deploymentId };
    await runTool("cp", ["--sparse=always", example.diskPath, installed.diskPath]);
    const source = (name: string, text: string): string => {
      const path = join(directory.path, "sources", name);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, text);
      return path;
    };
    const put = async (path: string, ...words: string[]) => {
      const { exitCode, err } = await run("install", "edit", "put", installed.diskPath, path, ...words);
      assert.equal(exitCode, 0, err);
    };
    await put("/etc/edited", source("edited", "by sealroot\n"), "--mode", "640");
    const wants = join(directory.path, "sources/multi-user.target.wants");
    mkdirSync(wants);
    symlinkSync("../edited.service", join(wants, "edited.service"));
    await put("/etc/systemd/system/", source("edited.service", UNIT), wants);
    await put("/var/lib/edited/file", source("file", "x".repeat(100_000)), "--owner", "1000:1000");
    const removed = await run("install", "edit", "remove", installed.diskPath, "/etc/issue");
    assert.equal(removed.exitCode, 0, removed.err);
    guest = await bootSealed(example, installed.diskPath);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
  });
  after(async () => {
    await guest?.stop();
    directory?.remove();
  });

  test("boots with what was put there", async () => {
    assert.equal(await guestText(guest, "cat /etc/edited /run/edited"), "by sealroot\nby sealroot");
    assert.equal(
      await guestText(guest, "stat -c '%a %u:%g' /etc/edited /var/lib/edited /var/lib/edited/file"),
      "640 0:0\n755 0:0\n644 1000:1000",
    );
    assert.equal(
      await guestText(guest, "wc -c </var/lib/edited/file; ls /etc/issue 2>/dev/null || echo gone"),
      "100000\ngone",
    );
  });

  test("install mount finds the ESP by the disk, and mounts image, /etc and /var; read-only on demand", async () => {
    const mounted = "sealroot install mount --sysroot /run/physical --latest /run/installed";
    assert.equal(await guestText(guest, `${PHYSICAL} && ${mounted}`), installed.deploymentId);
    const line = "grep ' /run/installed ' /proc/self/mountinfo";
    assert.match(await guestText(guest, line), / ro,.* overlay composefs:[0-9a-f]{128} ro,.*verity=require/);
    assert.equal(
      await guestText(
        guest,
        "cmp /run/installed/usr/lib/os-release /usr/lib/os-release; cat /run/installed/etc/edited",
      ),
      "by sealroot",
    );
    assert.equal(await guestText(guest, "touch /run/installed/usr/x 2>/dev/null || echo read-only"), "read-only");
    assert.equal(
      await guestText(
        guest,
        "echo seen >/run/installed/etc/mounted; echo seen >/run/installed/var/mounted; cat /etc/mounted /var/mounted",
      ),
      "seen\nseen",
    );
    await guestText(guest, "umount -R /run/installed");
    await guestText(guest, `${mounted} --read-only`);
    assert.equal(
      await guestText(
        guest,
        "touch /run/installed/etc/x 2>/dev/null || touch /run/installed/var/x 2>/dev/null || echo read-only",
      ),
      "read-only",
    );
    await guestText(guest, "umount -R /run/installed");
    assert.equal(await guestText(guest, "grep -c ' /run/installed' /proc/self/mountinfo || true"), "0");
  });
});
