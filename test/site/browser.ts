/** A browser without a window, driven by its own protocol (chromedevtools.github.io) over a pipe. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Debian's package of the same name; half the size of the whole browser. */
const PROGRAM = "chromium-headless-shell";
/** What a command may take on a busy machine. */
const COMMAND_TIMEOUT_MS = 30_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export class Browser implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #directory: string;
  readonly #commands: Writable;
  readonly #answers = new Map<number, (message: Message) => void>();
  readonly #waiting = new Map<string, () => void>();
  #lastId = 0;
  #sessionId: string | undefined;

  private constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "sealroot-browser-"));
    // The sandbox of the browser refuses to be root's. The pages are ours.
    const args = ["--no-sandbox", "--remote-debugging-pipe", `--user-data-dir=${this.#directory}`, "--disable-gpu"];
    this.#process = spawn(PROGRAM, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    const [, , , commands, answers] = this.#process.stdio;
    this.#commands = commands as Writable;
    this.#read(answers as Readable);
  }

  /** Starts the browser with one empty page. */
  static async start(): Promise<Browser> {
    const browser = new Browser();
    const { targetId } = await browser.#send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#send("Target.attachToTarget", { targetId, flatten: true });
    browser.#sessionId = String(sessionId);
    await browser.#send("Page.enable", {});
    return browser;
  }

  /** What the page is shown on. `mobile` takes the page's viewport, as a phone does. */
  async setScreen(screen: { readonly width: number; readonly height: number; readonly mobile: boolean }) {
    await this.#send("Emulation.setDeviceMetricsOverride", { ...screen, deviceScaleFactor: 1 });
  }

  /** Opens a page and waits until it is loaded with its scripts and styles. */
  async open(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => this.#waiting.set("Page.loadEventFired", resolve));
    const { errorText } = await this.#send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`Cannot open ${url}: ${errorText}`);
    await loaded;
  }

  /** Runs an expression in the page, waits for a promise, and returns its value, which is JSON. */
  async evaluate(expression: string): Promise<unknown> {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", options);
    if (exceptionDetails !== undefined) throw new Error(`Cannot evaluate: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value?: unknown }).value;
  }

  /** The page as it is shown, PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send("Page.captureScreenshot", { format: "png" });
    return Buffer.from(String(data), "base64");
  }

  /** Asks the browser to end, with all its processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    if (this.#process.pid !== undefined && this.#process.exitCode === null) {
      this.#sessionId = undefined;
      await this.#send("Browser.close", {}).catch(() => this.#process.kill("SIGKILL"));
      await ended;
    }
    for (const stream of this.#process.stdio) stream?.destroy();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 10 });
  }

  async #send(method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const timer = setTimeout(() => reject(new Error(`${method}: no answer`)), COMMAND_TIMEOUT_MS);
    this.#process.once("error", reject);
    this.#answers.set(id, resolve);
    const message = { id, method, params, ...(this.#sessionId === undefined ? {} : { sessionId: this.#sessionId }) };
    this.#commands.write(`${JSON.stringify(message)}\0`);
    try {
      const { result, error } = await promise;
      if (result === undefined) throw new Error(`${method}: ${error?.message ?? "no result"}`);
      return result;
    } finally {
      clearTimeout(timer);
      this.#process.off("error", reject);
    }
  }

  /** Messages end with a zero byte. */
  #read(answers: Readable): void {
    let rest = "";
    answers.setEncoding("utf8").on("data", (chunk: string) => {
      const messages = (rest + chunk).split("\0");
      rest = messages.pop() ?? "";
      for (const text of messages) this.#take(JSON.parse(text));
    });
  }

  #take(message: Message): void {
    if (message.id !== undefined) this.#answers.get(message.id)?.(message);
    if (message.id !== undefined) this.#answers.delete(message.id);
    if (message.method !== undefined) this.#waiting.get(message.method)?.();
  }
}
