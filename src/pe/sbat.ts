/**
 * SBAT: generations of components by which shim refuses programs that are too old, however well they are signed
 * (shim, SBAT.md; sbat.c).
 */
import { withoutPadding } from "../bytes/index.ts";
import { SealrootError } from "../errors/index.ts";
import { findSection, type PeImage, sectionContent } from "./image.ts";

/** One line of a section `.sbat`. */
export interface SbatEntry {
  readonly component: string;
  readonly generation: number;
  /** The line as it is, without its end. */
  readonly line: string;
}

/** The least generation of components that shim starts, as its variable SbatLevel has it. */
export interface SbatLevel {
  /** When it was made, YYYYMMDDNN; undefined when it does not say. */
  readonly date: string | undefined;
  /** In the order of the variable: of a component that is there twice the first counts. */
  readonly entries: readonly Omit<SbatEntry, "line">[];
}

/** What every section begins with (SBAT.md, "Version Field"). */
const HEADER = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md";
/** What ukify puts into a UKI when it is given nothing (systemd, src/ukify/ukify.py, STUB_SBAT). */
const UKI_SBAT = `${HEADER}\nuki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n`;
/** Component, generation, vendor, package, version, address (SBAT_SECTION_COLUMNS). */
const SECTION_COLUMNS = 6;
/** shim keeps generations in 16 bits. */
const GENERATION_MAX = 0xffff;

/**
 * The section of a UKI as ukify makes it: the lines of stub and kernel, then those of the texts.
 *
 * @param programs whose own sections are taken over; one that does not begin with `sbat,` is left out, as ukify does
 * @param texts as for {@link checkSbatText}; none: what ukify takes then
 */
export function mergedSbat(programs: readonly PeImage[], texts: readonly string[]): Uint8Array {
  const given = texts.length === 0 ? [UKI_SBAT] : texts;
  const lines = [...programs.map(sbatText), ...given].flatMap((text) => {
    const [first = "", ...rest] = (text ?? "").split(/\r?\n/);
    return first.startsWith("sbat,") ? rest.filter((line) => line !== "") : [];
  });
  return Buffer.from(`${[HEADER, ...lines].join("\n")}\n\0`, "latin1");
}

/**
 * Checks a text for a section, so that shim can read what is made of it: its first line is that of SBAT itself, and each has six
 * columns.
 * @param what names it in errors
 * @throws SealrootError `usage`
 */
export function checkSbatText(text: string, what: string): void {
  const lines = text.split(/\r?\n/);
  const wrong = lines.find((line, index) => {
    if (line === "") return index === 0;
    const columns = line.split(",");
    const isFilled = columns.length === SECTION_COLUMNS && columns.every((column) => column !== "");
    return !isFilled || !/^[ -~]+$/.test(line) || !isGeneration(columns[1]) || (index === 0 && columns[0] !== "sbat");
  });
  if (wrong === undefined) return;
  throw new SealrootError("usage", `Cannot use ${what}: a line of it is not one of SBAT`, {
    expected: `first ${HEADER}, then lines of component,generation,vendor,package,version,address`,
    actual: wrong === "" ? "an empty line" : wrong,
  });
}

function isGeneration(text: string | undefined): boolean {
  return text !== undefined && /^[1-9]\d{0,4}$/.test(text) && Number(text) <= GENERATION_MAX;
}

/** A text for the section of a UKI of somebody, whose own component it names beside that of ukify. @param owner without commas */
export function sbatTextOf(component: string, generation: number, owner: string): string {
  return `${UKI_SBAT}${component},${generation},${owner},uki,${generation},https://uapi-group.org/specifications/specs/unified_kernel_image/\n`;
}

/** The entries of a text, without that of SBAT itself. */
export function sbatEntries(text: string): SbatEntry[] {
  const rows = rowsOf(text).map(({ line, columns: [component = "", generation = ""] }) => ({
    ...{ line, component },
    generation: generationOf(generation),
  }));
  return rows.filter(({ component }) => component !== "sbat");
}

/**
 * The lines of a program's section, that of SBAT itself too; undefined when it has none.
 * @throws SealrootError `corrupt` when shim cannot read it
 */
export function sbatOf(image: PeImage): readonly SbatEntry[] | undefined {
  const text = sbatText(image);
  if (text === undefined) return undefined;
  return rowsOf(text).map(({ line, columns }) => {
    const [component = "", generation = ""] = columns;
    if (columns.length >= SECTION_COLUMNS && columns.slice(0, SECTION_COLUMNS).every((column) => column !== "")) {
      return { component, generation: generationOf(generation), line };
    }
    throw new SealrootError("corrupt", "Cannot read section .sbat: a line has less than six columns", { actual: line });
  });
}

/** @throws SealrootError `corrupt` for a text that is no SbatLevel */
export function parseSbatLevel(content: Uint8Array, what: string): SbatLevel {
  const rows = rowsOf(Buffer.from(content).toString("latin1"));
  const [first] = rows;
  // shim takes no other level (sbat.c, SBAT_VAR_SIG).
  if (first?.columns[0] !== "sbat" || rows.some(({ columns }) => columns.length < 2)) {
    throw new SealrootError("corrupt", `Cannot read ${what}: it is no SbatLevel`, {
      expected: "sbat,1,YYYYMMDDNN and lines of component,generation",
      actual: JSON.stringify(first?.line ?? ""),
    });
  }
  return {
    date: first.columns[2],
    entries: rows.map(({ columns: [component = "", generation = ""] }) => ({
      component,
      generation: generationOf(generation),
    })),
  };
}

/** A component of a program whose generation is too low, and what is wanted; undefined when shim starts it. */
export function tooOldFor(
  entries: readonly SbatEntry[],
  level: SbatLevel,
): { readonly entry: SbatEntry; readonly least: number } | undefined {
  for (const entry of entries) {
    const least = level.entries.find(({ component }) => component === entry.component)?.generation ?? 0;
    if (entry.generation < least) return { entry, least };
  }
  return undefined;
}

/** Lines end where shim ends them: at line ends and NULs; empty ones are none, and a byte order mark goes (csv.c). */
function rowsOf(text: string): { readonly line: string; readonly columns: readonly string[] }[] {
  const lines = text.replace(/^\u00ef\u00bb\u00bf/, "").split(/[\r\n\0]+/);
  return lines.filter((line) => line !== "").map((line) => ({ line, columns: line.split(",") }));
}

/** As atoi(3), kept in 16 bits: what is no number is 0. */
function generationOf(text: string): number {
  return Number(/^\s*(\d{1,15})/.exec(text)?.[1] ?? 0) & GENERATION_MAX;
}

function sbatText(image: PeImage): string | undefined {
  const section = findSection(image, ".sbat");
  // A section without content is none (shim, pe.c, verify_sbat_section()).
  if (section === undefined || section.virtualSizeBytes === 0) return undefined;
  return Buffer.from(withoutPadding(sectionContent(image, section))).toString("latin1");
}
