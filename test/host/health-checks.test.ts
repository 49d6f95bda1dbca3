import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { displayText } from "../../src/bytes/index.ts";
import { silent } from "../../src/events/index.ts";
import {
  findHealthChecks,
  type HealthOptions,
  readHealthReport,
  runHealthChecks,
  writeHealthReport,
} from "../../src/host/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sealroot-health-"));
  for (const name of ["usr", "etc", "run"]) mkdirSync(join(root, name));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const directories = () => [join(root, "usr"), join(root, "etc"), join(root, "absent")];
function check(folder: "usr" | "etc", name: string | Buffer, script: string, mode = 0o755): void {
  const path = Buffer.concat([Buffer.from(`${join(root, folder)}/`), Buffer.from(name as string)]);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, mode);
}
const run = (changes: Partial<HealthOptions> = {}) =>
  runHealthChecks({
    ...{ directories: directories(), environment: {}, checkLimitMs: 20_000, totalLimitMs: 60_000, events: silent },
    ...changes,
  });

test("without checks a system is healthy", async () => {
  assert.deepEqual(await run(), []);
});

test("checks are run by name; one in /etc replaces or masks that in /usr", async () => {
  const log = join(root, "log");
  for (const name of ["20-b", "10-a", "30-masked", "40-replaced", ".hidden", "copy~"]) {
    check("usr", name, `echo usr/${name} >>${log}; test ${name} != 40-replaced`);
  }
  check("etc", "15-own", `echo etc/15-own >>${log}`);
  check("etc", "40-replaced", `echo etc/40-replaced >>${log}`);
  symlinkSync("/dev/null", join(root, "etc/30-masked"));
  assert.deepEqual(
    findHealthChecks(directories()).map(({ name }) => displayText(name)),
    ["10-a", "15-own", "20-b", "40-replaced"],
  );
  check("etc", "50-show", `cat ${log}; exit 9`);
  check("etc", "60-lines", `test "$(wc -l <${log})" = 4`);
  assert.deepEqual(await run(), [{ name: "50-show", reason: "exit code 9: etc/40-replaced" }]);
});

test("all checks are run, and each failure says what it last said", async () => {
  check("usr", "1", "echo first; echo second >&2; echo; exit 3");
  check("usr", "2", "exit 1");
  check("usr", "3", "kill -9 $$");
  check("usr", "4", 'test "$SEALROOT_TRY" = 2 && test "$PWD" = /');
  check("usr", "5", "yes | head -c 3000000; exit 1");
  const failed = await run({ environment: { SEALROOT_TRY: "2" } });
  assert.deepEqual(failed.slice(0, 2), [
    { name: "1", reason: "exit code 3: second" },
    { name: "2", reason: "exit code 1" },
  ]);
  assert.deepEqual(
    failed.map(({ name }) => name),
    ["1", "2", "3", "5"],
  );
  assert.match(failed[2]?.reason ?? "", /SIGKILL|137/);
  assert.equal(failed[3]?.reason, "exit code 1: y");
});

test("a check that hangs fails, with everything it started, and leaves time to the others as long as there is some", async () => {
  check("usr", "1", "echo begun; sleep 1000 & sleep 1000");
  check("usr", "2", "true");
  assert.deepEqual(await run({ checkLimitMs: 500 }), [{ name: "1", reason: "it did not end in 1 s: begun" }]);
  assert.deepEqual(await run({ totalLimitMs: 400 }), [
    { name: "1", reason: "it did not end in 1 s: begun" },
    { name: "2", reason: "no time was left for it" },
  ]);
});

test("what cannot be run is a failure, not a check that passed", async () => {
  check("usr", "readme", "", 0o644);
  const message = `Cannot run the health check ${root}/usr/readme: it is not an executable file`;
  assert.deepEqual(await run(), [{ name: "health.d", reason: message }]);
  rmSync(join(root, "usr/readme"));
  symlinkSync("nowhere", join(root, "usr/gone"));
  assert.match((await run())[0]?.reason ?? "", /gone: ENOENT/);
  rmSync(join(root, "usr/gone"));
  writeFileSync(join(root, "usr/format"), "\x7fELF broken");
  chmodSync(join(root, "usr/format"), 0o755);
  assert.match((await run())[0]?.reason ?? "", /^exit code 12[67]: /);
});

test("names are bytes, and nothing in them is shell", async () => {
  const log = join(root, "log");
  for (const name of [Buffer.from([0xff, 0x0a]), "$(exit 7) `x` 'y' \"z\" %s \\n", "-n", "ü"]) {
    check("usr", name, `echo run >>${log}`);
  }
  check("usr", "z", `test "$(wc -l <${log})" = 2`);
  check("usr", Buffer.from([0xff, 0xff]), `test "$(wc -l <${log})" = 4`);
  assert.deepEqual(await run(), []);
});

test("a report in /run is read back, and anything else there is none", () => {
  assert.deepEqual(readHealthReport(join(root, "run")), []);
  const failed = [{ name: "1", reason: "exit code 1" }];
  writeHealthReport(join(root, "run"), failed);
  assert.deepEqual(readHealthReport(join(root, "run")), failed);
  writeFileSync(join(root, "run/sealroot/health.json"), "{");
  assert.deepEqual(readHealthReport(join(root, "run")), []);
});
