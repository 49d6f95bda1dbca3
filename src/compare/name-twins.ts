/** Names that a file system or a tool made of each other. */
import { type ByteString, displayText } from "../bytes/index.ts";
import type { DirectoryNode } from "../tree/index.ts";

const NOT_ASCII = /[^\x20-\x7e]/;

/** Finds them among the names that only one of two directories has. */
export class NameTwins {
  /** Of the pair asked about last: a walk asks about the names of one directory one after the other. */
  #last: { of: DirectoryNode; without: DirectoryNode; names: ReadonlyMap<string, ByteString> } | undefined;

  /**
   * @param name that only `here` has
   * @returns one that only `there` has
   */
  find(name: ByteString, here: DirectoryNode, there: DirectoryNode): ByteString | undefined {
    const names = this.#namesIn(there, here);
    for (const form of foldedForms(name)) {
      const found = names.get(form);
      if (found === undefined) continue;
      // Two names of plain characters are not what is left of one that had others.
      if (form.startsWith("?") && !NOT_ASCII.test(name) && !NOT_ASCII.test(found)) continue;
      return found;
    }
    return undefined;
  }

  #namesIn(of: DirectoryNode, without: DirectoryNode): ReadonlyMap<string, ByteString> {
    if (this.#last?.of === of && this.#last.without === without) return this.#last.names;
    const names = new Map<string, ByteString>();
    for (const name of of.entries.keys()) {
      if (!without.entries.has(name)) for (const form of foldedForms(name)) names.set(form, name);
    }
    this.#last = { of, without, names };
    return names;
  }
}

/** What a name becomes when case, normal form, encoding, or the bytes that some tool cannot write are left aside. */
function foldedForms(name: ByteString): Set<string> {
  const fold = (text: string) => text.normalize("NFC").toLowerCase();
  const text = displayText(name);
  const forms = new Set([fold(text), fold(name)].map((form) => `=${form}`));
  // What cannot be written becomes a question mark or an underscore, once or for every byte.
  if (NOT_ASCII.test(text) || /[?_]/.test(text)) forms.add(`?${fold(text).replace(/(?:[^\x20-\x7e]|[?_])+/g, "?")}`);
  return forms;
}
