/** Event logs, read and replayed, and hostile ones. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  measuredTables,
  measuredVariables,
  parseEventLog,
  replayEventLog,
  startedPrograms,
} from "../../src/tpm/index.ts";
import {
  digestOf,
  eventLogBytes,
  measuredTable,
  measuredVariable,
  separator,
  startedProgram,
  startupLocality,
} from "./event-log-writer.ts";

const ZEROS = new Uint8Array(32);
const PROGRAM = createHash("sha256").update("program").digest();
const GUIDS = ["11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-aaaaaaaaaaaa"] as const;
const EVENTS = [
  startupLocality(3),
  measuredVariable("SecureBoot", Buffer.of(1)),
  measuredVariable("dbx", new Uint8Array(0)),
  ...[0, 4, 7].map(separator),
  startedProgram(PROGRAM),
  measuredTable(GUIDS[0], [GUIDS[1]]),
];

test("a log is read and replayed: start-up locality, variables, programs, partition tables", () => {
  const log = parseEventLog(eventLogBytes(EVENTS));
  assert.equal(log.events.length, EVENTS.length);
  const values = replayEventLog(log);
  const replayed = (register: number, start = ZEROS) =>
    EVENTS.filter((event) => event.register === register && event.type !== 3).reduce<Uint8Array>(
      (value, event) => createHash("sha256").update(value).update(digestOf(event)).digest(),
      start,
    );
  const locality = Buffer.alloc(32);
  locality[31] = 3;
  assert.deepEqual(values.get(0)?.value, replayed(0, locality));
  for (const register of [4, 5, 7]) assert.deepEqual(values.get(register)?.value, replayed(register));
  assert.deepEqual(values.get(11)?.value, new Uint8Array(ZEROS));
  assert.deepEqual(
    measuredVariables(log).map(({ name, data }) => [name, [...data]]),
    [
      ["SecureBoot", [1]],
      ["dbx", []],
    ],
  );
  assert.deepEqual(startedPrograms(log).map(Buffer.from), [PROGRAM]);
  assert.deepEqual(measuredTables(log), [{ diskGuid: GUIDS[0], partitionGuids: [GUIDS[1]] }]);
});

test("data that are not what was measured are no variables and no partition table", () => {
  const other = { digest: PROGRAM };
  const log = parseEventLog(
    eventLogBytes([
      { ...measuredVariable("SecureBoot", Buffer.of(1)), ...other },
      { ...measuredTable(GUIDS[0], []), ...other },
    ]),
  );
  assert.throws(() => measuredVariables(log), {
    code: "corrupt",
    message: "Cannot use event log: a variable of PCR 7 is not what was measured",
  });
  assert.throws(() => measuredTables(log), { code: "corrupt" });
});

test("logs of other forms are refused", () => {
  const cases: [Uint8Array, string][] = [
    [eventLogBytes(EVENTS, [0x0004]), "unsupported"],
    [eventLogBytes(EVENTS).subarray(65 + 4), "unsupported"],
    [Buffer.concat([Buffer.alloc(28), Buffer.of(4, 0, 0, 0), Buffer.alloc(4)]), "unsupported"],
    [new Uint8Array(0), "corrupt"],
    [Buffer.alloc((1 << 20) + 1), "corrupt"],
    [eventLogBytes([{ register: 24, type: 1, data: Buffer.of(1) }]), "corrupt"],
    [
      eventLogBytes(
        Array.from({ length: 10_001 }, () => ({ register: 1, type: 1, data: Buffer.of(), digest: PROGRAM })),
      ),
      "corrupt",
    ],
    [Buffer.concat([eventLogBytes(EVENTS), Buffer.of(1)]), "corrupt"],
  ];
  for (const [index, [bytes, code]] of cases.entries()) {
    assert.throws(() => parseEventLog(bytes), { code }, String(index));
  }
});

test("a log that is cut or changed anywhere is read or refused, and never anything else", () => {
  const good = eventLogBytes(EVENTS);
  for (let at = 0; at < good.length; at++) {
    const changed = Uint8Array.from(good);
    changed[at] = 0xff;
    for (const bytes of [changed, good.subarray(0, at)]) {
      try {
        const log = parseEventLog(bytes);
        replayEventLog(log);
        startedPrograms(log);
        measuredVariables(log);
        measuredTables(log);
      } catch (error) {
        assert.equal(error instanceof Error && error.name, "SealrootError", String(error));
      }
    }
  }
});
