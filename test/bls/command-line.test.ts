import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommandLine, checkUserArguments, parseKernelArgument, splitCommandLine } from "../../src/bls/index.ts";
import { SealrootError } from "../../src/errors/index.ts";

test("splitCommandLine() splits at blanks outside quotes and keeps the quotes", () => {
  assert.deepEqual(splitCommandLine(' a  b="c d"\te="f\n'), ["a", 'b="c d"', 'e="f\n']);
  assert.deepEqual(splitCommandLine(""), []);
});

test("parseKernelArgument() finds the key inside and outside of quotes", () => {
  assert.deepEqual(parseKernelArgument("rw"), { text: "rw", key: "rw", value: undefined });
  assert.deepEqual(parseKernelArgument("a="), { text: "a=", key: "a", value: "" });
  assert.deepEqual(parseKernelArgument('a="b c"'), { text: 'a="b c"', key: "a", value: "b c" });
  assert.deepEqual(parseKernelArgument('"composefs=x y"'), { text: '"composefs=x y"', key: "composefs", value: "x y" });
  assert.deepEqual(parseKernelArgument('"'), { text: '"', key: "", value: undefined });
});

test("CommandLine keeps the text of every argument and treats - and _ in keys alike", () => {
  const line = CommandLine.parse('root=UUID=1  rd_shell=0 quiet "x=y z"');
  assert.equal(line.toString(), 'root=UUID=1 rd_shell=0 quiet "x=y z"');
  assert.equal(line.get("root"), "UUID=1");
  assert.equal(line.get("rd-shell"), "0");
  assert.equal(line.has("quiet"), true);
  assert.equal(line.get("quiet"), undefined);
  assert.equal(line.has("missing"), false);
});

test("CommandLine changes: append always adds, add only what is new, set replaces the first and drops the rest", () => {
  const line = CommandLine.parse("a=1 b a=2");
  assert.equal(line.append("a=1").toString(), "a=1 b a=2 a=1");
  assert.equal(line.add("a=1 a=3 b").toString(), "a=1 b a=2 a=3");
  assert.equal(line.set("a=9").toString(), "a=9 b");
  assert.equal(line.set("c=9").toString(), "a=1 b a=2 c=9");
  assert.equal(line.removeExact("a=2").toString(), "a=1 b");
  assert.equal(line.removeKey("a").toString(), "b");
  assert.throws(() => line.set("a b"), { code: "usage" });
});

test("CommandLine.parse() and toString() settle after one round for any text", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const once = CommandLine.parse(text).toString();
      assert.equal(CommandLine.parse(once).toString(), once);
    }),
  );
});

test("checkUserArguments() refuses what the seal decides, however it is written", () => {
  for (const text of ["composefs=1", '"composefs=1"', "composefs.digest=x", "quiet root=/dev/sda", "init=/bin/sh"]) {
    assert.throws(() => checkUserArguments(text), {
      name: "SealrootError",
      code: "usage",
      message: /decided by the seal/,
    });
  }
  assert.throws(() => checkUserArguments("rdinit=/x"), SealrootError);
  assert.throws(() => checkUserArguments("systemd.unit=rescue.target"), SealrootError);
  assert.throws(() => checkUserArguments("a=b\nc"), { code: "usage", message: /control character/ });
  checkUserArguments('console=ttyS0 quiet rootwait systemd.mask="a b"');
});
