/** docs/measured-boot.md, word by word, by an ordinary user with an image that can be sealed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sealableImage } from "../seal/sealable-image.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { assertSession, OrdinaryUser } from "./ordinary-user.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-measured-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let user: OrdinaryUser;
before(async () => {
  user = new OrdinaryUser();
  await sealableImage(scratch);
  user.takeImage(join(scratch, "sealable"), "os");
});
after(() => user[Symbol.dispose]());

test("docs/measured-boot.md: values, signed policies and signing them elsewhere are as shown", () => {
  assertSession(user, fencedBlocks(readDocument("measured-boot.md"), "console measured").join(""), user.clone);
});
