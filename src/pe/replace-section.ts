/** Gives the place of a section of an image to other content. */
import { SealrootError } from "../errors/index.ts";
import type { PeImage, PeSection } from "./image.ts";
import { SECTION } from "./layout.ts";
import type { NewSection } from "./sections.ts";

/** How long content may be that takes the place of a section: in the file, and before the next section in memory. */
export function roomOf(image: PeImage, { virtualAddress, rawSizeBytes }: PeSection): number {
  const later = image.sections.map((section) => section.virtualAddress).filter((address) => address > virtualAddress);
  return Math.min(rawSizeBytes, ...later.map((address) => address - virtualAddress));
}

/**
 * A copy of an image in which a section is another one, at the same place. Signatures stay, and are no longer good.
 * @throws SealrootError `unsupported` when there is no room for it
 */
export function replaceSection(image: PeImage, section: PeSection, { name, content }: NewSection): Uint8Array {
  const room = roomOf(image, section);
  if (content.length > room) {
    const what = `Cannot put section ${name} in the place of ${section.name}: it has ${content.length} bytes`;
    throw new SealrootError("unsupported", what, { expected: `at most ${room} bytes`, hint: "use another stub" });
  }
  const output = Uint8Array.from(image.bytes);
  output.fill(0, section.rawOffset, section.rawOffset + section.rawSizeBytes);
  output.set(content, section.rawOffset);
  const header = image.sectionTableOffset + image.sections.indexOf(section) * SECTION.bytes;
  output.set(Buffer.from(name.padEnd(SECTION.virtualSize, "\0"), "latin1"), header + SECTION.name);
  new DataView(output.buffer).setUint32(header + SECTION.virtualSize, content.length, true);
  return output;
}
