/** docs/sealing.md, word by word, by an ordinary user with an image that can be sealed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sealableImage } from "../seal/sealable-image.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { assertSession, OrdinaryUser } from "./ordinary-user.ts";

const scratch = mkdtempSync(join(tmpdir(), "sealroot-sealing-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let user: OrdinaryUser;
before(() => {
  user = new OrdinaryUser();
});
after(() => user[Symbol.dispose]());

test("docs/sealing.md: keys, seals, signers and changes of keys are as shown", async () => {
  await sealableImage(scratch);
  const index = join(scratch, "sealable/index.json");
  writeFileSync(index, readFileSync(index, "utf8").replace('"plain"', '"1"'));
  user.take(join(scratch, "sealable"), "os");
  assertSession(user, fencedBlocks(readDocument("sealing.md"), "console sealing").join(""), user.clone);
});
