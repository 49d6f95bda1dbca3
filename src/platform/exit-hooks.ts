/** Clean-up that must happen however the process ends short of SIGKILL: others stopped, temporary files removed. */

/** In this order: what still writes is stopped before what it writes is removed. */
const PHASES = ["stop", "remove"] as const;

export type ExitPhase = (typeof PHASES)[number];

const hooks: Readonly<Record<ExitPhase, Set<() => void>>> = { stop: new Set(), remove: new Set() };
let installed = false;

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Registers `hook` for the end of the process. It must be synchronous; what it throws is dropped, since nothing is left
 * to handle it.
 *
 * @param phase `stop` for ending what works for this process, children and threads; it comes first
 * @returns a function that takes the hook back
 */
export function onProcessExit(hook: () => void, phase: ExitPhase = "remove"): () => void {
  handleProcessExit();
  hooks[phase].add(hook);
  return () => hooks[phase].delete(hook);
}

/**
 * Sees to it that a signal runs the hooks instead of ending the process at once. To be called before something is made
 * whose hook can only be registered afterwards.
 */
export function handleProcessExit(): void {
  if (installed) return;
  installed = true;
  process.on("exit", runHooks);
  for (const signal of ENDING_SIGNALS) {
    // Not by once(): without a listener, a second signal, as of an impatient hand, would end the process amid its hooks.
    const handle = () => {
      runHooks();
      process.off(signal, handle);
      // Die of the signal itself, so that the parent (a shell, systemd, make) sees what ended us. This handler is gone by
      // now; another listener (a step that wants to finish in order) keeps the process, as it asked.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    };
    process.on(signal, handle);
  }
}

function runHooks(): void {
  for (const phase of PHASES) {
    for (const hook of [...hooks[phase]].reverse()) {
      hooks[phase].delete(hook);
      try {
        hook();
      } catch {
        // The process is ending: the remaining hooks matter more than this one's failure.
      }
    }
  }
}
