/** `sealroot status` on a booted, sealed host, by the program that its image has. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { VirtualMachine } from "../../src/vm/index.ts";
import { faultsOf } from "../docs/json-schema.ts";
import {
  BOOT_TIMEOUT_MS,
  bootSealed,
  guestText,
  type SealedExample,
  sealedExample,
  systemState,
} from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

const SCHEMA = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/status.json"), "utf8"));

/** Where the ESP is mounted while a test damages it. */
const WITH_ESP = "mkdir -p /run/esp && mount /dev/vda2 /run/esp && cd /run/esp/loader/entries &&";

describe("status of a booted host", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let guest: VirtualMachine;
  before(async () => {
    example = await sealedExample();
    guest = await bootSealed(example, example.diskPath);
    await guest.waitForReady(BOOT_TIMEOUT_MS);
    assert.equal(await systemState(guest), "running");
  });
  after(async () => {
    await guest?.stop();
  });

  test("is what was installed, in bootc's words", async () => {
    const text = await guestText(guest, "sealroot status --json --exit-code");
    const document = JSON.parse(text);
    assert.deepEqual(faultsOf(SCHEMA, document), []);
    const { booted, rollback, staged, rollbackQueued, readOnly } = document.status;
    assert.deepEqual([rollback, staged, rollbackQueued, readOnly], [null, null, false, false]);
    assert.deepEqual(booted.image.image, { image: "localhost/debian-sealed:latest", transport: "registry" });
    assert.equal(booted.image.imageDigest, example.manifestDigest);
    const { bootDigest, ...composefs } = booted.composefs;
    assert.match(bootDigest, /^[0-9a-f]{64}$/);
    assert.deepEqual(composefs, {
      bootType: "Uki",
      bootloader: "systemd",
      missingVerityAllowed: false,
      verity: example.deploymentId,
    });
    const lines = (await guestText(guest, "sealroot status --format humanreadable -v")).split("\n");
    assert.deepEqual(lines.slice(0, 3), [
      "● Booted image: localhost/debian-sealed:latest",
      `        Digest: ${example.manifestDigest} (amd64)`,
      `        Verity: ${example.deploymentId}`,
    ]);
    assert.ok(lines.includes("      FsVerity: Enforced"), lines.join("\n"));
  });

  test("changes nothing and leaves no mount behind", async () => {
    // systemd has the ESP mounted for its random seed, and lets go of it, with a write of its own, after two minutes.
    const look = "grep -v ' /boot ' /proc/self/mountinfo | sort; find /run/composefs 2>&1 || true";
    const first = await guestText(guest, `touch /run/before; ${look}`);
    await guestText(guest, "sealroot status >/dev/null");
    assert.equal(await guestText(guest, look), first);
    const places = "/sysroot/composefs /sysroot/state/deploy /boot/EFI /boot/loader";
    assert.equal(await guestText(guest, `find ${places} -newercm /run/before -not -path '*/etc/*'`), "");
  });

  test("config-diff shows what was changed in /etc, and only that", async () => {
    const schema = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/schema/config-diff.json"), "utf8"));
    const diff = async () => JSON.parse(await guestText(guest, "sealroot config-diff --json --quiet"));
    const first = await diff();
    assert.deepEqual(faultsOf(schema, first), []);
    assert.deepEqual(first.removed, []);
    await guestText(guest, "echo mine >/etc/issue; mkdir /etc/new.d; rm /etc/debian_version");
    const { added, modified, removed } = await diff();
    assert.deepEqual(
      added.filter((path: string) => !first.added.includes(path)),
      ["new.d"],
    );
    assert.deepEqual(
      modified.filter((path: string) => !first.modified.includes(path)),
      ["issue"],
    );
    assert.deepEqual(removed, ["debian_version"]);
  });

  test("tells of a broken entry by itself, with the ESP mounted by somebody else", async () => {
    await guestText(guest, `${WITH_ESP} echo nothing >broken.conf`);
    const { exitCode, stdout, stderr } = await guest.run("sealroot status --json --exit-code");
    assert.equal(exitCode, 6);
    assert.equal(JSON.parse(stdout.toString()).status.booted.composefs.verity, example.deploymentId);
    assert.match(
      stderr.toString(),
      /^broken\.conf: Cannot parse boot entry .*broken\.conf: the key "version" is missing$/m,
    );
    await guestText(guest, "rm /run/esp/loader/entries/broken.conf && umount /run/esp");
  });
});
