/** docs/sealing.md, word by word, by an ordinary user with an image that can be sealed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { peImage } from "../bootloader/pe-fixture.ts";
import { sealableImage } from "../seal/sealable-image.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { assertSession, OrdinaryUser } from "./ordinary-user.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-sealing-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let user: OrdinaryUser;
before(async () => {
  user = new OrdinaryUser();
  await sealableImage(scratch);
  user.takeImage(join(scratch, "sealable"), "os");
});
after(() => user[Symbol.dispose]());

test("docs/sealing.md: keys, seals, signers and changes of keys are as shown", () => {
  assertSession(user, fencedBlocks(readDocument("sealing.md"), "console sealing").join(""), user.clone);
});

test("docs/sealing.md: an add-on for one machine is made and put onto a disk as shown", () => {
  const sections = { ".text": "stub", ".sdmagic": "#### LoaderInfo: systemd-addon 257.13-1 ####" };
  writeFileSync(join(scratch, "stub"), peImage(sections));
  user.take(join(scratch, "stub"), "addonx64.efi.stub");
  // The keys of the first session have gone on; the disk is of keys that have not.
  const made = user.run(
    "rm -rf keys && sealroot keys generate keys --common-name 'Example OS' && rm -rf os-sealed && " +
      "sealroot seal oci:os:1 -o oci:os-sealed:1 --keys keys",
  );
  assert.equal(made.exitCode, 0, made.stderr);
  assertSession(user, fencedBlocks(readDocument("sealing.md"), "console addons-made").join(""), user.clone);
});
