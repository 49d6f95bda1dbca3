/** Whether a deployment can be changed to without starting its kernel anew (spec/host-lifecycle.md 8). */
import type { CommandLine } from "../../bls/index.ts";

/**
 * True when the two command lines differ in nothing but the root image: each argument of one stands on the other as
 * well. Their order does not matter.
 */
export function sameKernelState(one: CommandLine, other: CommandLine): boolean {
  const texts = (line: CommandLine) =>
    new Set(
      line.arguments.filter(({ key }) => key !== "composefs" && key !== "composefs.digest").map(({ text }) => text),
    );
  const [own, others] = [texts(one), texts(other)];
  return own.size === others.size && [...own].every((text) => others.has(text));
}
