/** Clean-up that must happen however the process ends short of SIGKILL: temporary files removed, children ended. */

const hooks = new Set<() => void>();
let installed = false;

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Registers `hook` for the end of the process. It must be synchronous; what it throws is dropped, since nothing is left
 * to handle it.
 *
 * @returns a function that takes the hook back
 */
export function onProcessExit(hook: () => void): () => void {
  install();
  hooks.add(hook);
  return () => hooks.delete(hook);
}

function install(): void {
  if (installed) return;
  installed = true;
  process.on("exit", runHooks);
  for (const signal of ENDING_SIGNALS) {
    process.once(signal, () => {
      runHooks();
      // Die of the signal itself, so that the parent (a shell, systemd, make) sees what ended us. The once-handler is
      // gone by now; another listener (a step that wants to finish in order) keeps the process, as it asked.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    });
  }
}

function runHooks(): void {
  for (const hook of [...hooks].reverse()) {
    hooks.delete(hook);
    try {
      hook();
    } catch {
      // The process is ending: the remaining hooks matter more than this one's failure.
    }
  }
}
