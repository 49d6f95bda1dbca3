/** Varlink messages and descriptions, as other implementations write and read them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  describeInterface,
  encodeReply,
  MESSAGE_MAX_BYTES,
  MessageReader,
  parseCall,
  SERVICE_DESCRIPTION,
} from "../../src/varlink/index.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");

test("messages end with a NUL, however the stream is cut", () => {
  const stream = bytes('{"a":1}\0\0{"b":"ü"}\0{"c"');
  for (let size = 1; size <= stream.length; size++) {
    const reader = new MessageReader();
    const found: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      for (const message of reader.push(stream.subarray(at, at + size))) found.push(Buffer.from(message).toString());
    }
    assert.deepEqual(found, ['{"a":1}', "", '{"b":"ü"}'], `pieces of ${size}`);
    assert.equal(reader.hasRest, true);
  }
});

test("a message without end is refused before it fills the memory", () => {
  const reader = new MessageReader();
  reader.push(Buffer.alloc(MESSAGE_MAX_BYTES, "x"));
  assert.throws(() => reader.push(bytes("x")), {
    code: "corrupt",
    message: `Cannot read the call: it has more than ${MESSAGE_MAX_BYTES} bytes`,
  });
});

test("a call: method and parameters, more and oneway", () => {
  assert.deepEqual(parseCall(bytes('{"method":"a.b.C"}')), {
    method: "a.b.C",
    parameters: {},
    more: false,
    oneway: false,
  });
  assert.deepEqual(parseCall(bytes('{"method":"a.B","parameters":{"x":[1]},"more":true,"oneway":true,"upgrade":1}')), {
    method: "a.B",
    parameters: { x: [1] },
    more: true,
    oneway: true,
  });
  for (const [text, reason] of [
    ["", "it is not JSON"],
    ["\xff", "it is not JSON"],
    ["[]", "it is not an object"],
    ["null", "it is not an object"],
    ["{}", "it names no method"],
    ['{"method":1}', "it names no method"],
    ['{"method":"a","parameters":[]}', "its parameters are not an object"],
    ['{"method":"a","more":1}', "more and oneway are true or false"],
  ] as const) {
    assert.throws(() => parseCall(Buffer.from(text, "latin1")), { message: `Cannot read the call: ${reason}` }, text);
  }
});

test("replies: continued ones and errors say so", () => {
  const text = (reply: Parameters<typeof encodeReply>[0]) => Buffer.from(encodeReply(reply)).toString();
  assert.equal(text({ parameters: { a: "\0" } }), '{"parameters":{"a":"\\u0000"}}\0');
  assert.equal(text({ parameters: {}, continues: true }), '{"parameters":{},"continues":true}\0');
  assert.equal(text({ parameters: { x: 1 }, error: "a.E" }), '{"error":"a.E","parameters":{"x":1}}\0');
});

test("an interface is described in the language of varlink", () => {
  const description = describeInterface({
    name: "org.example",
    summary: "An example",
    types: ["Sum (count: int)"],
    methods: { Add: { summary: "Adds", input: "(a: int)", output: "(sum: Sum)" } },
    errors: ["Failed (why: string)"],
  });
  const expected =
    "# An example\ninterface org.example\n\ntype Sum (count: int)\n\n# Adds\nmethod Add (a: int) -> (sum: Sum)\n\n" +
    "error Failed (why: string)\n";
  assert.equal(description, expected);
  assert.match(SERVICE_DESCRIPTION, /^# .*\ninterface org\.varlink\.service\n\n# .*\nmethod GetInfo \(\) -> \(/);
});
