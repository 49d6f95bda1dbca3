/** docs/shapes.md, word by word, by an ordinary user with images of those shapes. */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runTool } from "../../src/platform/index.ts";
import { MODULE_BYTES, SIGNATURE_MARK } from "../seal/initramfs/made-image.ts";
import {
  type Change,
  forArm64,
  MODULES,
  madeShape,
  putFile,
  staticQuickJs,
  twoKernels,
  withDracut,
  withoutQuickJs,
} from "../seal/made-shapes.ts";
import { sealableRoot } from "../seal/sealable-image.ts";
import { fencedBlocks, readDocument } from "./markdown.ts";
import { assertSession, OrdinaryUser } from "./ordinary-user.ts";

const unsignedModule: Change = async (at) => {
  const signed = Buffer.concat([MODULE_BYTES, Buffer.from(SIGNATURE_MARK)]);
  putFile(at(`${MODULES}/kernel/fs/erofs/erofs.ko.xz`), (await runTool("xz", ["--stdout"], { input: signed })).stdout);
  putFile(at(`${MODULES}/updates/dkms/nvidia.ko`), MODULE_BYTES);
  appendFileSync(at(`${MODULES}/modules.dep`), "updates/dkms/nvidia.ko:\n");
};

const scratch = mkdtempSync(join(tmpdir(), "sealroot-shapes-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let user: OrdinaryUser;
before(async () => {
  user = new OrdinaryUser();
  const { root, remove } = await sealableRoot();
  const shapes: Readonly<Record<string, Change>> = {
    "two-kernels": twoKernels,
    dracut: withDracut,
    "no-quickjs": withoutQuickJs,
    arm64: forArm64,
    "unsigned-module": unsignedModule,
  };
  for (const [name, change] of Object.entries(shapes)) {
    await madeShape(root, scratch, name, change, name === "arm64" ? "arm64" : "amd64");
    user.takeImage(join(scratch, name), name);
  }
  remove();
  writeFileSync(join(scratch, "qjs"), staticQuickJs());
  user.take(join(scratch, "qjs"), "qjs");
  const made = user.run("sealroot keys generate keys");
  assert.equal(made.exitCode, 0, made.stderr);
});
after(() => user?.[Symbol.dispose]());

test("docs/shapes.md: images of other shapes are sealed, or refused, as shown", () => {
  assertSession(user, fencedBlocks(readDocument("shapes.md"), "console shapes").join(""), user.clone);
});
