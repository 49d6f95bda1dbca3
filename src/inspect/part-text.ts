/** The tree of parts for people: facts beside their names, parts below with lines that lead to them. */
import { formatSize } from "../bytes/index.ts";
import { oneLine } from "../errors/index.ts";
import type { Fact, Part } from "./part.ts";

/** Acronyms that are not written as words. */
const WORDS: Readonly<Record<string, string>> = {
  os: "OS",
  guid: "GUID",
  sha256: "SHA-256",
  sha384: "SHA-384",
  sha512: "SHA-512",
  rsa: "RSA",
};

export function partLines(part: Part): string[] {
  return lines(part, "", "");
}

function lines({ kind, name, facts, error, parts }: Part, first: string, rest: string): string[] {
  const hasParts = parts.length > 0;
  const guide = hasParts ? "│  " : "   ";
  const rows = Object.entries(facts).flatMap(([fact, value]) => rowsOf(fact, value));
  if (error !== undefined) rows.push(["unreadable", error.message]);
  const width = Math.max(0, ...rows.map(([label]) => label.length));
  return [
    `${first}${kind} ${oneLine(name)}`,
    ...rows.map(([label, value]) => `${rest}${guide}${label.padEnd(width)}  ${oneLine(value)}`),
    ...parts.flatMap((below, index) => {
      const isLast = index === parts.length - 1;
      return lines(below, `${rest}${isLast ? "└─ " : "├─ "}`, `${rest}${isLast ? "   " : "│  "}`);
    }),
  ];
}

/** A text of several lines, and a list, take a row each. */
function rowsOf(fact: string, value: Fact): [label: string, text: string][] {
  const label = labelOf(fact);
  if (typeof value === "number") {
    return [[label, fact.endsWith("Bytes") ? `${formatSize(value)} (${value})` : String(value)]];
  }
  if (typeof value === "boolean") return [[label, value ? "yes" : "no"]];
  const texts = typeof value === "string" ? value.split("\n") : value;
  return texts.map((text, index) => [index === 0 ? label : "", text]);
}

/** `manifestDigest` is `manifest digest`, `sizeBytes` is `size`. */
function labelOf(fact: string): string {
  const words = fact
    .replace(/(?<=.)(?:Bytes|Hex)$/, "")
    .replaceAll(/([A-Z])/g, " $1")
    .toLowerCase()
    .split(" ");
  return words.map((word) => WORDS[word] ?? word).join(" ");
}
