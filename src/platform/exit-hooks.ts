/** Clean-up that must happen however the process ends, except by SIGKILL: others stopped, temporary files removed. */

/** In this order: writers are stopped before what they write is removed. */
const PHASES = ["stop", "remove"] as const;

export type ExitPhase = (typeof PHASES)[number];

const hooks: Readonly<Record<ExitPhase, Set<() => void>>> = { stop: new Set(), remove: new Set() };
let installed = false;

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Registers `hook` for the end of the process. It must be synchronous; what it throws is dropped, since nothing is left
 * to handle it.
 *
 * @param phase `stop` for ending children and threads of this process; it comes first
 * @returns a function that unregisters the hook
 */
export function onProcessExit(hook: () => void, phase: ExitPhase = "remove"): () => void {
  handleProcessExit();
  hooks[phase].add(hook);
  return () => hooks[phase].delete(hook);
}

/**
 * Makes a signal run the hooks instead of ending the process at once. Call before making something whose hook can only
 * be registered afterwards.
 */
export function handleProcessExit(): void {
  if (installed) return;
  installed = true;
  process.on("exit", runHooks);
  for (const signal of ENDING_SIGNALS) {
    // Not with once(): without a listener, a second signal, as from an impatient user, would end the process amid its
    // hooks.
    const handle = () => {
      runHooks();
      process.off(signal, handle);
      // Die of the signal itself, so that the parent (a shell, systemd, make) sees what ended us. This handler is gone
      // by now; another listener (a step that wants to finish properly) keeps the process, as it asked.
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
