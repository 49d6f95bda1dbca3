/** The links of a chain of trust as values: text, JSON and the page are made of them. */
import { asSealrootError, type SealrootError } from "../../errors/index.ts";

/** What a link is about, in the order of a boot. */
export const LINK_NAMES: readonly LinkName[] = [
  ...([
    "evidence",
    "source",
    "disk",
    "keys",
    "loader",
    "entry",
    "uki",
    "add-ons",
    "initramfs",
    "command-line",
  ] as const),
  ...(["image", "objects", "state", "policy", "quote"] as const),
];
export type LinkName =
  | ("evidence" | "quote")
  | ("source" | "disk" | "keys" | "loader" | "entry" | "uki" | "add-ons" | "initramfs" | "command-line")
  | ("image" | "objects" | "state" | "policy");

/**
 * `verified`: everything about it was checked and is right. `weaker`: it holds, but promises less than a sealed system does.
 * `unchecked`: it could not be checked from here, or nothing vouches for it by design. `broken`: the machine refuses it, or
 * should.
 */
export type LinkState = "verified" | "unchecked" | "weaker" | "broken";

/** From good to bad. */
const STATES: readonly LinkState[] = ["verified", "unchecked", "weaker", "broken"];

/** Something that keeps a link from being verified. */
export interface Finding {
  readonly state: Exclude<LinkState, "verified">;
  /** A clause without final period. */
  readonly message: string;
  readonly path?: string;
  readonly expected?: string;
  readonly found?: string;
  readonly remedy?: string;
}

export interface Link {
  readonly name: LinkName;
  /** Which one, such as the path of a file. */
  readonly subject: string;
  /** The worst of its findings; links below have their own. */
  readonly state: LinkState;
  /** The key, digest or rule by which it was checked. */
  readonly by: string | undefined;
  /** What was checked, in clauses. */
  readonly facts: readonly string[];
  readonly findings: readonly Finding[];
  readonly links: readonly Link[];
}

/** What links are added to: another link, or the chain itself. */
export interface LinkParent {
  link(name: LinkName, subject: string): LinkDraft;
}

/** The links of a chain that have none above them. */
export class ChainDraft implements LinkParent {
  readonly #links: LinkDraft[] = [];

  link(name: LinkName, subject: string): LinkDraft {
    const draft = new LinkDraft(name, subject);
    this.#links.push(draft);
    return draft;
  }

  finish(): Link[] {
    return this.#links.map((draft) => draft.finish());
  }
}

/** A link while it is being checked. */
export class LinkDraft implements LinkParent {
  readonly #name: LinkName;
  readonly #subject: string;
  #by: string | undefined;
  readonly #facts: string[] = [];
  readonly #findings: Finding[] = [];
  readonly #links: LinkDraft[] = [];

  constructor(name: LinkName, subject: string) {
    this.#name = name;
    this.#subject = subject;
  }

  get isBroken(): boolean {
    return this.#findings.some(({ state }) => state === "broken");
  }

  get hasLinks(): boolean {
    return this.#links.length > 0;
  }

  checkedBy(text: string): void {
    this.#by ??= text;
  }

  fact(text: string): void {
    this.#facts.push(text);
  }

  find(state: Finding["state"], message: string, data: Omit<Finding, "state" | "message"> = {}): void {
    this.#findings.push({ state, message, ...data });
  }

  broken(message: string, data: Omit<Finding, "state" | "message"> = {}): void {
    this.find("broken", message, data);
  }

  /** A failed check as a finding. */
  failed(error: unknown, state: Finding["state"] = "broken", also: Partial<Finding> = {}): void {
    this.#findings.push({ ...findingOf(asSealrootError(error, "Cannot check it")), ...also, state });
  }

  /** @returns what the check returns; undefined when it has failed, which is then a finding */
  async attempt<T>(check: () => Promise<T> | T, also: Partial<Finding> = {}): Promise<T | undefined> {
    try {
      return await check();
    } catch (error) {
      this.failed(error, "broken", also);
      return undefined;
    }
  }

  /** A link below this one. */
  link(name: LinkName, subject: string): LinkDraft {
    const draft = new LinkDraft(name, subject);
    this.#links.push(draft);
    return draft;
  }

  finish(): Link {
    return {
      name: this.#name,
      subject: this.#subject,
      state: worst(this.#findings.map(({ state }) => state)),
      by: this.#by,
      facts: this.#facts,
      findings: this.#findings,
      links: this.#links.map((draft) => draft.finish()),
    };
  }
}

/** The worst of some states; `verified` of none. */
export function worst(states: readonly LinkState[]): LinkState {
  return STATES[Math.max(0, ...states.map((state) => STATES.indexOf(state)))] ?? "verified";
}

function findingOf({ message, data }: SealrootError): Omit<Finding, "state"> {
  const { path, expected, actual, hint } = data;
  return {
    message,
    ...(path === undefined ? {} : { path }),
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { found: actual }),
    ...(hint === undefined ? {} : { remedy: hint }),
  };
}

/** Links in the order of a boot, each before those below it. */
export function* allLinks(links: readonly Link[]): Generator<Link, void, undefined> {
  for (const link of links) {
    yield link;
    yield* allLinks(link.links);
  }
}
