/** What a lint is, and running all of them (bootc 1.17, lints.rs; spec/host-build.md 1, "lint"). */
import { SealrootError } from "../../errors/index.ts";
import type { RootDirectory } from "../root-directory.ts";

/** `running`: the container's own `/`, in which the lint runs. */
export type RootType = "running" | "alternative";

/** For which kind of system the image is made. */
export type Backend = "ostree" | "composefs";

export interface LintContext {
  readonly directory: RootDirectory;
  readonly rootType: RootType;
  readonly backend: Backend;
  /** How many items of a list are shown; all if undefined. */
  readonly itemsMax: number | undefined;
}

export interface Lint {
  readonly name: string;
  /** `fatal`: the image would not install or not run. */
  readonly type: "fatal" | "warning";
  /** What it looks for and why, in sentences. */
  readonly description: string;
  /** Undefined: for both. */
  readonly rootType?: RootType;
  /** Undefined: for both. */
  readonly backend?: Backend;
  /** Looks at every file of the image; such lints come last. */
  readonly isRecursive?: boolean;
  /** @returns what is wrong; undefined for nothing */
  check(context: LintContext): Promise<string | undefined> | string | undefined;
}

export interface LintFinding {
  readonly name: string;
  readonly type: Lint["type"];
  readonly message: string;
}

export interface LintReport {
  readonly findings: readonly LintFinding[];
  readonly passed: number;
  /** Left out by their names, or not for this kind of root or system. */
  readonly skipped: number;
}

/**
 * Runs lints, in the order of their names.
 *
 * What a lint cannot read is its finding: one broken file hides no other.
 */
export async function runLints(
  lints: readonly Lint[],
  context: LintContext,
  skip: ReadonlySet<string>,
): Promise<LintReport> {
  const applies = ({ name, rootType, backend }: Lint) =>
    !skip.has(name) &&
    (rootType === undefined || rootType === context.rootType) &&
    (backend === undefined || backend === context.backend);
  const applicable = lints.filter(applies);
  const findings: LintFinding[] = [];
  for (const { name, type, check } of [
    ...applicable.filter(({ isRecursive }) => isRecursive !== true),
    ...applicable.filter(({ isRecursive }) => isRecursive === true),
  ]) {
    const message = await messageOf(() => check(context));
    if (message !== undefined) findings.push({ name, type, message });
  }
  return { findings, passed: applicable.length - findings.length, skipped: lints.length - applicable.length };
}

async function messageOf(check: () => ReturnType<Lint["check"]>): Promise<string | undefined> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof SealrootError)) throw error;
    const { hint } = error.data;
    return hint === undefined ? error.message : `${error.message}; ${hint}`;
  }
}
