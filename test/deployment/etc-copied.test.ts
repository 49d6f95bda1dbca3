/** Attributes that bootc does not copy into /etc are no changes of a host that lacks all of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { asCopied } from "../../src/deployment/etc-tree.ts";
import { firstTreeDifference } from "../../src/tree/index.ts";
import { bytes, directory, file } from "../tree/build.ts";

const named = (name: string) => ({ xattrs: new Map([[bytes(name), Buffer.from("v")]]) });
const note = named("user.note");
const list = named("system.posix_acl_access");
const label = named("security.selinux");

test("without any of the image's attributes the live tree is a copy of what a mount shows", () => {
  const pristine = directory(
    { a: file("a", note), b: file("b", list), c: file("c", label), d: directory({}, note) },
    note,
  );
  const current = directory({ a: file("changed"), b: file("b"), c: file("c", label), d: directory({}) });
  const bare = directory({ a: file("a"), b: file("b"), c: file("c", label), d: directory({}) });
  assert.equal(firstTreeDifference(asCopied(pristine, current), bare), undefined);
});

test("one attribute of the image's that is there shows that all were copied", () => {
  const pristine = directory({ a: file("a", note), b: file("b", list) });
  assert.equal(asCopied(pristine, directory({ a: file("a", note), b: file("b") })), pristine);
  assert.equal(asCopied(pristine, directory({ a: file("a"), b: file("b", note) })), pristine);
});

test("attributes of files that have none in the image say nothing of the copy", () => {
  const pristine = directory({ a: file("a", note), c: file("c") });
  const current = directory({ a: file("a"), c: file("c", note), more: file("m", note) });
  const bare = directory({ a: file("a"), c: file("c") });
  assert.equal(firstTreeDifference(asCopied(pristine, current), bare), undefined);
});

test("an image without such attributes stays as it is, whatever the host has", () => {
  const pristine = directory({ c: file("c", label) });
  assert.equal(asCopied(pristine, directory({ c: file("c", note) })), pristine);
});
