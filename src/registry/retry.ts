/** When a request is sent again, and after how long (spec/chunked-and-policy.md 4.6). */
import { setTimeout as sleep } from "node:timers/promises";
import type { RegistryLimits } from "./options.ts";

const TOO_MANY_REQUESTS = 429;
const PASSING_STATUSES = new Set([TOO_MANY_REQUESTS, 500, 502, 503, 504]);
/** Largest random part of a delay, so that machines that failed together do not return together. */
const JITTER = 0.25;

/** True for an answer that may soon be different. */
export function isPassingStatus(status: number): boolean {
  return PASSING_STATUSES.has(status);
}

/**
 * How long to wait.
 *
 * @param repetition 0 for the first
 * @param retryAfter the header Retry-After, in seconds or as a date (RFC 9110 section 10.2.3); it is followed up to the
 *   limit
 */
export function retryDelayMs(
  limits: RegistryLimits,
  repetition: number,
  retryAfter?: string,
  nowMs = Date.now(),
): number {
  const asked = retryAfter === undefined ? undefined : retryAfterMs(retryAfter, nowMs);
  const delayMs = (asked ?? limits.retryDelayMs * 2 ** repetition) * (1 + Math.random() * JITTER);
  return Math.min(delayMs, limits.retryDelayMaxMs);
}

function retryAfterMs(text: string, nowMs: number): number | undefined {
  if (/^\s*\d+\s*$/.test(text)) return Number(text) * 1000;
  const dateMs = Date.parse(text);
  return Number.isNaN(dateMs) ? undefined : Math.max(dateMs - nowMs, 0);
}

/** @throws the signal's reason as soon as it aborts */
export async function waitFor(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted());
}
