import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AgentChannel } from "../../src/vm/agent-channel.ts";

/** A channel with a connected guest side that the test plays. */
async function withChannel(body: (channel: AgentChannel, guest: Socket) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "agent-"));
  const path = join(directory, "socket");
  const channel = await AgentChannel.listen(path);
  const guest = connect(path);
  try {
    await once(guest, "connect");
    await body(channel, guest);
  } finally {
    guest.destroy();
    channel.close();
    await rm(directory, { recursive: true });
  }
}

async function becomeReady(channel: AgentChannel, guest: Socket): Promise<void> {
  const ready = new Promise<void>((resolve) => channel.onReady(resolve));
  guest.write("ready 4.20\n");
  await ready;
}

test("an answer is put together from pieces of any size, bytes unchanged", async () => {
  await withChannel(async (channel, guest) => {
    await becomeReady(channel, guest);
    const answer = channel.run("printf ..; exit 7");
    const [request] = await once(guest, "data");
    assert.equal(String(request), "1 17\nprintf ..; exit 7");
    for (const byte of Buffer.from([...Buffer.from("1 7 4 2\n"), 0, 0xff, 0x0d, 0x0a, 0x31, 0x0a])) {
      guest.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    const { exitCode, stdout, stderr } = await answer;
    assert.equal(exitCode, 7);
    assert.deepEqual([...stdout], [0, 0xff, 0x0d, 0x0a]);
    assert.deepEqual([...stderr], [0x31, 0x0a]);
    const second = channel.run("true");
    guest.write("2 0 0 0\n");
    assert.equal((await second).exitCode, 0);
  });
});

test("a reboot of the guest fails the running command and counts as ready again", async () => {
  await withChannel(async (channel, guest) => {
    await becomeReady(channel, guest);
    const answer = assert.rejects(channel.run("reboot"), {
      message: "Cannot finish the command: the guest has rebooted",
    });
    await becomeReady(channel, guest);
    await answer;
    assert.equal(channel.readyCount, 2);
  });
});

test("commands are refused before the agent is ready and while another one runs", async () => {
  await withChannel(async (channel, guest) => {
    await assert.rejects(channel.run("true"), { message: /its agent is not ready/ });
    await becomeReady(channel, guest);
    const first = channel.run("sleep 1");
    await assert.rejects(channel.run("true"), { message: /another one is running/ });
    guest.write("1 0 0 0\n");
    await first;
  });
});

test("an agent that says something else is not believed", async () => {
  for (const nonsense of ["7 0 0 0\n", "1 0 9999999999 0\n", "hello\n", "x".repeat(400)]) {
    await withChannel(async (channel, guest) => {
      await becomeReady(channel, guest);
      const answer = channel.run("true");
      guest.write(nonsense);
      await assert.rejects(answer, { code: "failed", message: /^Cannot understand the guest's agent: it said "/ });
    });
  }
});

test("a socket path that the kernel would cut is refused", async () => {
  await assert.rejects(AgentChannel.listen(`/${"x".repeat(107)}`), { code: "usage" });
});
