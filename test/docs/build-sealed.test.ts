/**
 * The first of README's two commands, as a newcomer runs it: a user made for it, a clean clone, packages by `npm ci`,
 * the Debian example from nothing to the proofs. It takes the network and some minutes, so only SEALROOT_DOCS_BUILD=1
 * asks for it; what the other tests use in build/ is made by the same code.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { OrdinaryUser } from "./ordinary-user.ts";

const ACCOUNT = `sealroot-docs-${process.pid}`;
const isAsked = process.env.SEALROOT_DOCS_BUILD !== undefined;
const skip = isAsked
  ? process.getuid?.() === 0
    ? false
    : "only root can make a user"
  : "SEALROOT_DOCS_BUILD is not set";

test("README: ./just build-sealed, as a new user in a clean clone, ends with proofs", { skip }, () => {
  // Debian's useradd gives it subordinate ids, as every new user has them (mmdebstrap needs them).
  execFileSync("useradd", ["--create-home", "--user-group", ACCOUNT]);
  try {
    const uid = Number(execFileSync("id", ["-u", ACCOUNT], { encoding: "utf8" }));
    using user = new OrdinaryUser({ uid, sharesPackages: false });
    const { exitCode, stdout, stderr } = user.run("./just build-sealed");
    assert.equal(exitCode, 0, stdout + stderr);
    assert.equal(stdout.match(/^proven {2}/gm)?.length, 7, stdout);
    assert.doesNotMatch(stdout, /^FAILED/m);
  } finally {
    execFileSync("userdel", ["--remove", ACCOUNT], { stdio: "ignore" });
  }
});
