import assert from "node:assert/strict";
import { test } from "node:test";
import {
  argumentChange,
  CommandLine,
  findComposefsArguments,
  nextOptions,
  startedLine,
  type1Arguments,
} from "../../src/bls/index.ts";

const OLD = "ab".repeat(64);
const NEW = "cd".repeat(64);
const BOTH = `composefs.digest=v1-sha512-12:${NEW} composefs=${NEW}`;
const NOTHING = { removed: [], added: [] };
const next = (
  line: string,
  change = NOTHING as Parameters<typeof nextOptions>[2],
  verityOptional = false,
  owned: string[] = [],
) => nextOptions(CommandLine.parse(line), { id: NEW, verityOptional }, change, owned).toString();

test("type1Arguments() names the image in both forms, which every reader takes for one image", () => {
  assert.equal(type1Arguments({ id: NEW, verityOptional: false }).join(" "), BOTH);
  const optional = type1Arguments({ id: NEW, verityOptional: true }).join(" ");
  assert.equal(optional, `composefs.digest=?v1-sha512-12:${NEW} composefs=?${NEW}`);
  const found = findComposefsArguments(CommandLine.parse(optional));
  assert.deepEqual(
    found.map(({ id, verityOptional }) => [id, verityOptional]),
    [
      [NEW, true],
      [NEW, true],
    ],
  );
});

test("argumentChange() compares argument by argument, however the files group and spell them", () => {
  assert.deepEqual(argumentChange([], []), NOTHING);
  assert.deepEqual(argumentChange(["a b=1", "c"], ["c", "b=1", "a"]), NOTHING);
  assert.deepEqual(argumentChange(["quiet", "console=tty0"], ["quiet", "console=ttyS0 loglevel=3"]), {
    removed: ["console=tty0"],
    added: ["console=ttyS0", "loglevel=3"],
  });
  assert.deepEqual(argumentChange(["systemd-x=1"], ["systemd_x=1"]), NOTHING);
  assert.deepEqual(argumentChange(['a="b c"'], ["a=b"]), { removed: ['a="b c"'], added: ["a=b"] });
});

test("nextOptions() puts the new image where the old one was, whichever forms it had", () => {
  for (const old of [
    `composefs=${OLD}`,
    `composefs.digest=v1-sha512-12:${OLD} composefs=${OLD}`,
    `composefs=${OLD} composefs.digest=v1-sha512-12:${OLD}`,
    `composefs=?${OLD}`,
  ]) {
    assert.equal(next(`root=UUID=1 rw ${old} quiet`), `root=UUID=1 rw ${BOTH} quiet`);
  }
  assert.equal(next(`composefs=${OLD} rw composefs.digest=v1-sha512-12:${OLD}`), `${BOTH} rw`);
  assert.equal(next("rw quiet"), `rw quiet ${BOTH}`);
  assert.equal(
    next(`rw composefs=${OLD}`, NOTHING, true),
    `rw composefs.digest=?v1-sha512-12:${NEW} composefs=?${NEW}`,
  );
});

test("nextOptions() takes the image's own change along and leaves what was changed on the machine", () => {
  const change = { removed: ["console=tty0", "never=there"], added: ["console=ttyS0", "quiet"] };
  assert.equal(
    next(`rw composefs=${OLD} console=tty0 local=1 quiet`, change),
    `rw ${BOTH} local=1 quiet console=ttyS0`,
  );
  // Another value of the same key is somebody else's.
  assert.equal(next(`rw console=tty1 composefs=${OLD}`, change), `rw console=tty1 ${BOTH} console=ttyS0 quiet`);
  assert.equal(next(`rw composefs=${OLD} a="b c"`, { removed: ['"a=b c"'], added: [] }), `rw ${BOTH}`);
});

test("nextOptions() keeps what the image drops but somebody else wants too", () => {
  const change = { removed: ["nosmt", "quiet"], added: [] };
  assert.equal(next(`rw composefs=${OLD} nosmt quiet`, change, false, ["isolcpus=1 nosmt"]), `rw ${BOTH} nosmt`);
});

test("startedLine() is what a kernel started by systemd-boot finds in /proc/cmdline", () => {
  assert.equal(
    startedLine("rw quiet", `/EFI/Linux/bootc_composefs-${NEW}/initrd`),
    `initrd=\\EFI\\Linux\\bootc_composefs-${NEW}\\initrd rw quiet`,
  );
});
