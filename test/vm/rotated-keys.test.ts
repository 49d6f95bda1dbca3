/**
 * db with two certificates, as `keys rotate` leaves it: a loader that the old key signed and a UKI that the new one signed, both
 * elsewhere, boot; when `keys remove` has ended the rotation, the firmware refuses the loader, and so does `verify`.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadEnrolledKeys } from "../../src/keys/index.ts";
import { runTool, type TemporaryDirectory, temporaryDirectory } from "../../src/platform/index.ts";
import type { ToSign } from "../../src/seal/index.ts";
import { startVirtualMachine } from "../../src/vm/index.ts";
import { run } from "../cli/run-verb.ts";
import {
  BOOT_TIMEOUT_MS,
  efiVariableHex,
  guestText,
  LOADER_REFUSED,
  type SealedExample,
  sealedExample,
} from "./sealed-example.ts";
import { ONLY_IN_WHOLE_SUITE } from "./whole-suite.ts";

describe("a rotation of the image signing key", ONLY_IN_WHOLE_SUITE, () => {
  let example: SealedExample;
  let directory: TemporaryDirectory;
  let oldName: string;
  const at = (name: string) => join(directory.path, name);

  const succeed = async (...words: string[]) => {
    const { exitCode, out, err } = await run(...words);
    assert.equal(exitCode, 0, err);
    return out;
  };

  before(async () => {
    example = await sealedExample();
    directory = temporaryDirectory({ parent: "/var/tmp", purpose: "rotation" });
    await succeed("keys", "generate", at("keys"));
    await succeed("keys", "rotate", at("keys"));
    const { stdout } = await runTool("sh", ["-c", 'ls "$1"/db-*.pem', "sh", at("keys")]);
    oldName = stdout
      .toString()
      .trim()
      .replace(/\.pem$/, "");
    const unsigned = ["--unsigned", "--keys", at("keys"), "--to-sign", at("to-sign"), "--insecure-policy"];
    const source = `oci:${example.imageDirectory}`;
    await succeed("seal", source, "-o", `oci:${at("open")}:os`, ...unsigned);
    const list: ToSign = JSON.parse(readFileSync(join(at("to-sign"), "to-sign.json"), "utf8"));
    mkdirSync(at("signed"));
    for (const { kind, name } of list.files) {
      const key = kind === "loader" ? oldName : at("keys/db");
      const files = ["--output", join(at("signed"), name), join(at("to-sign"), name)];
      await runTool("sbsign", ["--key", `${key}.key`, "--cert", `${key}.pem`, ...files]);
    }
    const attach = [`oci:${at("open")}:os`, at("signed"), "-o", `oci:${at("image")}:os`, "--insecure-policy"];
    await succeed("seal", "attach", ...attach);
    const install = ["install", "to-disk", at("disk.img"), "--source-imgref", `oci:${at("image")}:os`, "--size", "2G"];
    await succeed(...install, "--target-imgref", "localhost/rotated:1", "--insecure-policy");
  });
  after(() => directory?.remove());

  const drives = () => [{ path: at("disk.img") }];

  const assertRefused = async (keys = at("keys")) => {
    const options = { drives: drives(), secureBoot: loadEnrolledKeys(keys), agent: false, cpus: 1 };
    const guest = await startVirtualMachine(options);
    try {
      for (const sign of LOADER_REFUSED) await guest.waitForConsole(sign, BOOT_TIMEOUT_MS);
    } finally {
      await guest.stop();
    }
  };

  test("boots by both of its certificates", async () => {
    await succeed("verify", at("disk.img"));
    const guest = await startVirtualMachine({ drives: drives(), secureBoot: loadEnrolledKeys(at("keys")), cpus: 1 });
    try {
      await guest.waitForReady(BOOT_TIMEOUT_MS);
      assert.equal(await guestText(guest, efiVariableHex("SecureBoot")), "01");
      assert.match(await guestText(guest, "findmnt -no SOURCE,OPTIONS /"), /^composefs:[0-9a-f]{128} .*verity=require/);
    } finally {
      await guest.stop();
    }
  });

  test("starts nothing that the old one signed on a machine where it is revoked", async () => {
    cpSync(at("keys"), at("revoked"), { recursive: true });
    await succeed("keys", "revoke", at("revoked"), `${oldName}.pem`);
    await assertRefused(at("revoked"));
  });

  test("is at its end when the old one is removed: what it signed starts no more", async () => {
    await succeed("keys", "remove", at("keys"), `${oldName}.pem`);
    const { exitCode, out, err } = await run("verify", at("disk.img"), "--keys", at("keys"), "--json");
    assert.equal(exitCode, 1, err);
    const broken = JSON.parse(out).links.filter(({ state }: { state: string }) => state === "broken");
    assert.deepEqual(
      broken.map(({ name }: { name: string }) => name),
      // In the place where the firmware looks by itself, and in systemd-boot's own.
      ["loader", "loader"],
    );
    await assertRefused();
  });
});
