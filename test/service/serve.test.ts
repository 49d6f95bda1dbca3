/** The service over a connection: what each call is answered with, and by the program itself over a socket. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Duplex, PassThrough } from "node:stream";
import { test } from "node:test";
import { SealrootError } from "../../src/errors/index.ts";
import { programVersion, temporaryDirectory } from "../../src/platform/index.ts";
import { HOST_SERVICE, type Service, serveConnection } from "../../src/service/index.ts";
import { describeInterface } from "../../src/varlink/index.ts";

const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

const SERVICE: Service = {
  product: "example",
  interfaces: [
    {
      description: {
        name: "org.example",
        summary: "An example",
        methods: {
          Count: { summary: "Counts", input: "(name: string, loud: ?bool, with: ?[]string)", output: "(text: string)" },
          Fail: { summary: "Fails", input: "()", output: "()" },
          Absent: { summary: "Has no handler", input: "()", output: "()" },
        },
      },
      handlers: {
        Count: async (parameters, more) => {
          more({ text: "one" });
          const text = [parameters.text("name"), ...parameters.texts("with")].join(" ");
          return { text: parameters.flag("loud") ? text.toUpperCase() : text };
        },
        Fail: async () => {
          throw new SealrootError("no-space", "Cannot write it: the disk is full", { path: "/x", hint: "make room" });
        },
      },
    },
  ],
};

/** What the service answers to these calls, made at once. */
async function answers(...calls: readonly unknown[]): Promise<unknown[]> {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const served = serveConnection(Duplex.from({ readable: input, writable: output }), SERVICE, "1.2.3");
  for (const call of calls) input.write(`${JSON.stringify(call)}\0`);
  input.end();
  await served;
  const text = String(output.read() ?? "");
  return text
    .split("\0")
    .slice(0, -1)
    .map((message) => JSON.parse(message));
}

const error = (name: string, parameters: object) => ({ error: `org.varlink.service.${name}`, parameters });

test("calls are answered in their order; `more` gets every reply, others the last", async () => {
  const call = { method: "org.example.Count", parameters: { name: "two" } };
  assert.deepEqual(
    await answers(
      { ...call, more: true },
      call,
      { ...call, parameters: { name: "two", loud: true } },
      { ...call, parameters: { name: "two", with: ["three", "four"] } },
      { ...call, parameters: { name: "two", with: [] } },
      { ...call, oneway: true },
    ),
    [
      { parameters: { text: "one" }, continues: true },
      { parameters: { text: "two" } },
      { parameters: { text: "two" } },
      { parameters: { text: "TWO" } },
      { parameters: { text: "two three four" } },
      { parameters: { text: "two" } },
    ],
  );
});

test("what cannot be called is named", async () => {
  assert.deepEqual(
    await answers(
      { method: "org.other.Count" },
      { method: "Count" },
      { method: "org.example.Other" },
      { method: "org.example.toString" },
      { method: "org.example.Absent" },
      { method: "org.example.Count" },
      { method: "org.example.Count", parameters: { name: 1 } },
      { method: "org.example.Count", parameters: { name: "x", loud: "yes" } },
      { method: "org.example.Count", parameters: { name: "x", with: "three" } },
      { method: "org.example.Count", parameters: { name: "x", with: ["three", 4] } },
      { method: "org.example.Count", parameters: { name: "x", other: 1 } },
    ),
    [
      error("InterfaceNotFound", { interface: "org.other" }),
      error("InterfaceNotFound", { interface: "" }),
      error("MethodNotFound", { method: "org.example.Other" }),
      error("MethodNotFound", { method: "org.example.toString" }),
      error("MethodNotFound", { method: "org.example.Absent" }),
      error("InvalidParameter", { parameter: "name" }),
      error("InvalidParameter", { parameter: "name" }),
      error("InvalidParameter", { parameter: "loud" }),
      error("InvalidParameter", { parameter: "with" }),
      error("InvalidParameter", { parameter: "with" }),
      error("InvalidParameter", { parameter: "other" }),
    ],
  );
});

test("a failure has code, message and the way out", async () => {
  assert.deepEqual(await answers({ method: "org.example.Fail" }), [
    {
      error: "containers.bootc.Failed",
      parameters: {
        ...{
          code: "no-space",
          message: "Cannot write it: the disk is full",
          hint: "make room",
          path: "/x",
          step: null,
        },
      },
    },
  ]);
});

test("the service describes itself", async () => {
  const [info, description, unknown] = await answers(
    { method: "org.varlink.service.GetInfo" },
    { method: "org.varlink.service.GetInterfaceDescription", parameters: { interface: "org.example" } },
    { method: "org.varlink.service.GetInterfaceDescription", parameters: { interface: "org.other" } },
  );
  assert.deepEqual(info, {
    parameters: {
      ...{ vendor: "sealroot", product: "example", version: "1.2.3", url: "" },
      interfaces: ["org.varlink.service", "org.example"],
    },
  });
  const [example] = SERVICE.interfaces;
  assert.ok(example !== undefined);
  assert.deepEqual(description, { parameters: { description: describeInterface(example.description) } });
  assert.deepEqual(unknown, error("InterfaceNotFound", { interface: "org.other" }));
});

test("what is not a call ends the connection", async () => {
  const input = new PassThrough();
  const served = serveConnection(Duplex.from({ readable: input, writable: new PassThrough() }), SERVICE, "1");
  input.end("nothing\0");
  await assert.rejects(served, { code: "corrupt", message: "Cannot read the call: it is not JSON" });
});

test("every method of the host's interfaces has a handler, and there is no other", () => {
  for (const { description, handlers } of HOST_SERVICE.interfaces) {
    assert.deepEqual(Object.keys(handlers), Object.keys(description.methods), description.name);
  }
});

test("the program answers on the connection that is handed over", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "socket");
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  server.listen(path);
  const client = connect(path);
  const handed = await accepted;
  handed.pause();
  const env = { ...process.env, LISTEN_FDS: "1" };
  const child = spawn(process.execPath, [MAIN, "internals", "varlink"], {
    stdio: ["ignore", "inherit", "inherit", handed],
    env,
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  handed.destroy();
  client.write('{"method":"org.varlink.service.GetInfo"}\0{"method":"containers.bootc.GetStatus"}\0');
  client.end();
  let text = "";
  for await (const chunk of client) text += String(chunk);
  const [info, status] = text
    .split("\0")
    .slice(0, 2)
    .map((message) => JSON.parse(message));
  assert.deepEqual(info.parameters.interfaces, ["org.varlink.service", "containers.bootc", "containers.bootc.update"]);
  assert.equal(info.parameters.version, programVersion());
  assert.deepEqual(status, {
    error: "containers.bootc.Failed",
    parameters: {
      ...{ code: "unsupported", message: "Cannot answer: this system is not deployed via bootc" },
      ...{ hint: null, path: null, step: null },
    },
  });
  assert.equal(await exited, 0);
  server.close();
});
