import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CommandLine,
  type CommandLineCheck,
  checkCommandLine,
  formatComposefsArgument,
  SEALED_LINE_KEYS,
} from "../../src/bls/index.ts";
import { SealrootError } from "../../src/errors/index.ts";
import { kernelArguments } from "./kernel-model.ts";

const RUNS = 20_000;

function failure(text: string, check: Partial<CommandLineCheck> = {}): SealrootError | undefined {
  try {
    checkCommandLine(text, { what: "the line", decidedKeys: [], ...check });
    return undefined;
  } catch (error) {
    assert.ok(error instanceof SealrootError, String(error));
    return error;
  }
}

function assertRefused(text: string, message: RegExp, check: Partial<CommandLineCheck> = {}): void {
  const error = failure(text, check);
  assert.ok(error, `not refused: ${text}`);
  assert.match(error.message, message, text);
  assert.equal(error.code, check.code ?? "unsupported");
}

/** Refused in every spelling below. Written down once more, so that a slip in the product's table is seen. */
const VALUED = [
  ...["composefs", "composefs.digest", "ostree", "root", "boot", "roothash", "usrhash", "mount.usr", "overlayroot"],
  ...["rd.overlay", "systemd.mount-extra", "rd.systemd.mount_extra", "init", "rdinit", "real_init", "rd.distroinit"],
  ...["initrd", "systemd.unit", "rd.systemd.unit", "systemd.run", "break", "rd.break", "rdbreak", "rd.shell"],
  ...["rdshell", "rd.cmdline", "rd.emergency", "rd.rescue", "systemd.debug_shell", "systemd.debug-shell"],
  ...["rd.systemd.debug-shell", "systemd.crash_shell", "real-init", "SYSTEMD_SULOGIN_FORCE"],
];
const BARE = ["--", "single", "rescue", "emergency", "1", "s", "S", "-s", "-b", "rd.rescue", "rd.emergency", "break"];

test("every argument that may not be set is refused, however it is quoted", () => {
  for (const key of VALUED) {
    for (const text of [`${key}=x`, `"${key}=x"`, `${key}="x y"`, `"${key}=x y"`, `quiet ${key}=x rw`, `  ${key}=x`]) {
      assertRefused(text, /(decided by the seal|lets a boot end in a shell)$/);
    }
  }
  for (const key of BARE) {
    for (const text of [key, `"${key}"`, `a=1 ${key} b`, `a="b c" ${key}`]) {
      assertRefused(text, /(decided by the seal|lets a boot end in a shell)$/);
    }
  }
  for (const text of [
    "systemd.wants=debug-shell.service",
    'systemd.wants="debug-shell".service',
    "systemd.wants=rescue.target",
  ]) {
    assertRefused(text, /shell$/);
  }
  for (const text of ["systemd.setenv=SYSTEMD_SULOGIN_FORCE=1", 'rd.systemd.setenv="SYSTEMD_SULOGIN_FORCE=1"']) {
    assertRefused(text, /shell$/);
  }
});

test("a spelling that only another reader understands is refused too", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    // systemd drops quotes anywhere in a word.
    ['systemd."unit"=x.target', /a key holds a quote/],
    ["'systemd.unit=x.target'", /a key holds a quote/],
    ["systemd.'unit'=x", /a key holds a quote/],
    ['"init"=/bin/sh', /a key holds a quote/],
    // Older systemd took backslashes out.
    ["in\\it=/bin/sh", /a key holds a quote, a backslash/],
    // Two words for the kernel, one for systemd; and the other way round.
    ["x='a b'", /kernel and systemd read/],
    ["x='a init=/bin/sh'", /kernel and systemd read/],
    ["x=it's", /kernel and systemd read/],
    ["x=a\\ b", /kernel and systemd read/],
    ['x="a\\" b"', /not closed|kernel and systemd read/],
    ["x=a\\", /kernel and systemd read/],
    // Scripts of an initramfs know no quotes.
    ['x="a init=/bin/sh b"', /"init" is decided by the seal/],
    ['x="a break b"', /"break" lets a boot end in a shell/],
  ];
  for (const [text, message] of cases) assertRefused(text, message);
  // Within double quotes it is a letter to everybody.
  for (const text of ['x="it\'s"', "x='a'", 'dyndbg="file drivers/usb/* +p; func a +p"', 'x="1 2 s"']) {
    assert.equal(failure(text), undefined, text);
  }
});

test("what switches a shell off, and what only looks alike, may be set", () => {
  for (const text of [
    ...["rd.shell=0", "rd.shell=no", "systemd.debug_shell=off", "systemd.debug-shell=0", "rd.emergency=reboot"],
    ...["init_on_alloc=1", "rootwait", "rootflags=noatime", "rootdelay=5", "3", "S3=x", "one=1", "systemd.units=x"],
    ...["console=ttyS0,115200n8", "systemd.volatile=state", "systemd.wants=ssh.service", "a.b=c", "break_on=x", "rw"],
    ...["systemd.setenv=LANG=C", "single=x", "rd.luks.uuid=1", "acpi_osi=!Windows", 'x="a b"c', '"x=a b"', ""],
  ]) {
    assert.equal(failure(text), undefined, text);
  }
  // dracut takes any other word for true.
  assertRefused("rd.shell=false", /shell$/);
});

test("open quotes and empty keys are refused, with the argument where the quote is", () => {
  const error = failure('a=1 dyndbg="file drivers/usb/* +p lockdown=confidentiality');
  assert.equal(error?.message, "Cannot use the line: a double quote is not closed");
  assert.equal(error?.data.actual, 'dyndbg="file drivers/usb/* +p lockdown=confidentiality');
  for (const text of ["=x", '"=x"', '""', '"a b"']) assertRefused(text, /no key|a key holds a quote/);
});

test("bytes outside of printable ASCII are refused with their place", () => {
  // 0xA0, a no-break space, is a blank to the kernel: this would set init=.
  const error = failure("a=b\u00a0init=/bin/sh");
  assert.equal(error?.message, "Cannot use the line: U+00A0 is not ASCII");
  assert.equal(error?.data.offset, 3);
  for (const text of ["a=\u00fc", "a=\u{1f600}", "a=\u007f", "a=b\tc", "a=\u0000", "a\n", "a=\u0085"]) {
    assertRefused(text, /is (not ASCII|a control character)$/);
  }
  assertRefused("a=b\nc", /is a control character/, { code: "usage" });
});

test("a line over the kernel's limit is refused, with length and limit in bytes", () => {
  for (const [architecture, limit] of [
    ["x64", 2047],
    ["aa64", 2047],
    ["riscv64", 1023],
    ["loongarch64", 4095],
  ] as const) {
    assert.equal(failure(`a=${"x".repeat(limit - 2)}`, { architecture }), undefined);
    const error = failure(`a=${"x".repeat(limit - 1)}`, { architecture });
    assert.equal(error?.message, `Cannot use the line: it has ${limit + 1} bytes, the kernel keeps ${limit}`);
  }
  assert.equal(failure(`a=${"x".repeat(10_000)}`), undefined, "a part of a line has no limit");
});

test("the author of the line decides its keys, once each", () => {
  const decidedKeys = SEALED_LINE_KEYS;
  const id = formatComposefsArgument("0f".repeat(64));
  assert.equal(failure(`${id} root=UUID=1 rw`, { decidedKeys }), undefined);
  assertRefused(`${id} ${id}`, /"composefs" occurs twice$/, { decidedKeys });
  assertRefused(`${id} "composefs=00"`, /"composefs" occurs twice$/, { decidedKeys });
  assertRefused(`${id} root=UUID=1 root=UUID=1`, /"root" occurs twice$/, { decidedKeys });
  assertRefused(`${id} x="a root=/dev/sdz b"`, /"root" is decided by the seal$/, { decidedKeys });
  assertRefused(`${id} root=UUID=1`, /"root" is decided by the seal$/, { decidedKeys: ["composefs"] });
  assertRefused(`${id} init=/x`, /"init" is decided by the seal$/, { decidedKeys });
});

// The pieces that matter to the readers come often enough to meet.
const piece = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('"', '"', "=", " ", "  ", "'", "\\", "-", "--", "_", ".", "rd.", "a", "x=") },
  { weight: 3, arbitrary: fc.constantFrom(...VALUED, ...BARE, "quiet", "console=ttyS0", "rw") },
  { weight: 1, arbitrary: fc.string({ unit: "binary-ascii", maxLength: 4 }) },
);
const line = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(""));

test("CommandLine reads every line of ASCII as the kernel does", () => {
  fc.assert(
    fc.property(line, (text) => {
      // A C string ends at its first NUL.
      const plain = text.replaceAll("\0", "");
      const { arguments: model, afterDashes } = kernelArguments(Buffer.from(plain, "latin1"));
      const ours = CommandLine.parse(plain).arguments.map(({ key, value }) => ({ param: key, value }));
      if (afterDashes === undefined) assert.deepEqual(ours, model);
      else assert.deepEqual(ours.slice(0, model.length), model);
    }),
    { numRuns: RUNS },
  );
});

const normalized = (key: string) => key.replaceAll("-", "_");
const VALUED_SET = new Set(VALUED.map(normalized));
const BARE_SET = new Set(BARE.map(normalized));

test("no accepted line holds, for the kernel, an argument that may not be set", () => {
  let accepted = 0;
  fc.assert(
    fc.property(line, (text) => {
      if (failure(text) !== undefined) return;
      accepted++;
      const { arguments: model, afterDashes } = kernelArguments(Buffer.from(text, "latin1"));
      assert.equal(afterDashes, undefined);
      for (const { param, value } of model) {
        assert.match(param, /^[^"'\\ ]+$/);
        const key = normalized(param);
        const isOff = value !== undefined && /^(0|no|n|false|f|off|reboot|poweroff|halt)$/.test(value);
        assert.ok(!VALUED_SET.has(key) || isOff, param);
        assert.ok(value !== undefined || !BARE_SET.has(key), param);
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(accepted > RUNS / 20, `only ${accepted} lines were accepted`);
});

test("arguments that pass one by one are as many, and the same, on the joined line", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (texts) => {
      const passed = texts.filter((text) => failure(text) === undefined);
      const joined = passed.join(" ");
      assert.equal(failure(joined), undefined, joined);
      const apart = passed.flatMap((text) => kernelArguments(Buffer.from(text, "latin1")).arguments);
      assert.deepEqual(kernelArguments(Buffer.from(joined, "latin1")).arguments, apart);
    }),
    { numRuns: RUNS / 4 },
  );
});
