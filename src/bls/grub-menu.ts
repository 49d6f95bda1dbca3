/** GRUB's menu of UKIs, `grub2/user.cfg`, as bootc writes and reads it (spec/host.md 1.5). */
import { corrupt } from "../errors/index.ts";
import { deploymentOfUkiPath } from "./entry-name.ts";

/** One `menuentry`. */
export interface GrubMenuBlock {
  /** Without its escapes. */
  readonly title: string;
  /** What it chains to: a path on the ESP; undefined for an entry that starts something else. */
  readonly chainloader: string | undefined;
  /** The deployment whose UKI that is; undefined for another system's entry. */
  readonly deploymentId: string | undefined;
  /** As it stands in the file, up to the end of its last line. */
  readonly text: string;
}

/** What the file consists of, in its order: entries, and whatever is between them. */
export type GrubMenuPart = GrubMenuBlock | string;

/** Finds the ESP for the entries that follow; what bootc begins the file with. */
const PROLOGUE = `
if [ -f \${config_directory}/efiuuid.cfg ]; then
        source \${config_directory}/efiuuid.cfg
fi
`;

const MENUENTRY = /^[ \t]*menuentry\s/;
const TITLE = /^[ \t]*menuentry\s+"((?:[^"\\]|\\.)*)"[^{]*\{/s;

/**
 * Reads a menu. Only an entry at the beginning of a line counts, as GRUB takes it for a command only there.
 * @throws SealrootError `corrupt` for an entry without a quoted title, or without an end
 */
export function parseGrubMenu(text: string, what = "GRUB's menu"): GrubMenuPart[] {
  const parts: GrubMenuPart[] = [];
  let between = "";
  let at = 0;
  while (at < text.length) {
    const lineEnd = endOfLine(text, at);
    if (!MENUENTRY.test(text.slice(at, lineEnd))) {
      between += text.slice(at, lineEnd);
      at = lineEnd;
      continue;
    }
    if (between !== "") parts.push(between);
    between = "";
    const [head, title] = TITLE.exec(text.slice(at)) ?? [];
    if (head === undefined || title === undefined || title === "") {
      throw corrupt(`Cannot read ${what}: an entry has no title`);
    }
    const bodyStart = at + head.length;
    const bodyEnd = endOfBody(text, bodyStart);
    if (bodyEnd === undefined) throw corrupt(`Cannot read ${what}: the entry "${title}" has no end`);
    const end = endOfLine(text, bodyEnd);
    parts.push(blockOf(title, text.slice(bodyStart, bodyEnd), text.slice(at, end)));
    at = end;
  }
  return between === "" ? parts : [...parts, between];
}

function blockOf(title: string, body: string, text: string): GrubMenuBlock {
  const lines = body.split("\n").map((line) => line.trim());
  const chainloader = lines.flatMap((line) => /^chainloader\s+(.+)$/.exec(line)?.[1] ?? []).at(-1);
  const deploymentId = chainloader === undefined ? undefined : deploymentOfUkiPath(chainloader);
  return { title: title.replace(/\\(.)/gs, "$1"), chainloader, deploymentId, text };
}

/** Behind the line break. */
function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}

/** Where the brace is that closes a body; a backslash takes its meaning from the character after it. */
function endOfBody(text: string, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === "\\") at++;
    else if (character === "{") depth++;
    else if (character === "}" && --depth < 0) return at;
  }
  return undefined;
}

/**
 * The entry of a deployment.
 * @param label as the UKI's Type 1 entry would be called
 * @param path of the UKI, absolute in the ESP
 */
export function grubMenuBlock(label: string, deploymentId: string, path: string): GrubMenuBlock {
  const title = `${label}: (${deploymentId})`;
  if (/[\n\r]/.test(title)) throw corrupt("Cannot write GRUB's menu: the title of an entry has a line break");
  const lines = [
    `menuentry "${title.replace(/["\\$`]/g, "\\$&")}" {`,
    "insmod fat",
    "insmod chain",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: GRUB expands it
    'search --no-floppy --set=root --fs-uuid "${EFI_PART_UUID}"',
    `chainloader ${path}`,
    "}",
  ];
  return { title, chainloader: path, deploymentId, text: lines.map((line) => `${line}\n`).join("") };
}

/** What a deployment is called in its title. */
export function labelOfGrubTitle({ title, deploymentId }: GrubMenuBlock): string {
  const end = `: (${deploymentId})`;
  return title.endsWith(end) ? title.slice(0, -end.length) : title;
}

/**
 * The text of a menu: the first entry is what boots. What is not a deployment's in the menu before is kept, byte for byte,
 * behind them.
 */
export function formatGrubMenu(blocks: readonly GrubMenuBlock[], before: readonly GrubMenuPart[]): string {
  const foreign = before.flatMap((part) => {
    if (typeof part !== "string") return part.deploymentId === undefined ? [part.text] : [];
    const text = part.replace(PROLOGUE, "");
    return text.trim() === "" ? [] : [text];
  });
  return [PROLOGUE, ...blocks.map(({ text }) => text), ...foreign].map(withLineBreak).join("");
}

function withLineBreak(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
