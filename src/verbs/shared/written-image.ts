/** What verbs report about an image they wrote. */
import { writeFile } from "node:fs/promises";
import { formatSize } from "../../bytes/index.ts";
import { asSealrootError } from "../../errors/index.ts";
import type { WrittenContent } from "../../images/index.ts";
import type { ImageReference } from "../../oci/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";
import { checkOutputFile } from "./output-file.ts";

export const DIGEST_FILE_OPTION = {
  flags: "--digestfile <FILE>",
  summary: "also write the manifest's digest into FILE",
} as const satisfies OptionSpecification;

type WritingCall = Invocation<readonly [typeof DIGEST_FILE_OPTION]>;

/** Prints the report, writes the digest file, and warns when the image has another digest than before. */
export async function reportWritten(
  invocation: WritingCall,
  target: ImageReference,
  written: WrittenContent,
): Promise<void> {
  const { digest } = written.descriptor;
  await writeDigestFile(invocation, digest);
  if (digest !== written.sourceDigest) {
    const text = `the manifest is another one now: signatures of ${written.sourceDigest} do not hold for ${digest}`;
    invocation.events({ type: "message", level: "warning", text });
  }
  const { formatReference } = await import("../../oci/index.ts");
  const reference = formatReference(target);
  if (invocation.json) invocation.output.json(report(reference, written));
  else for (const line of lines(reference, written)) invocation.output.line(line);
}

/** Call before anything is copied. @throws SealrootError as checkOutputFile */
export function checkDigestFile(invocation: WritingCall): void {
  checkOutputFile(invocation.option("digestfile"), "digest file");
}

/** @throws SealrootError when the file cannot be written */
export async function writeDigestFile(invocation: WritingCall, digest: string): Promise<void> {
  const path = invocation.option("digestfile");
  if (path === undefined) return;
  await writeFile(path, digest).catch((error: unknown) => {
    throw asSealrootError(error, "Cannot write digest file", { path });
  });
}

function lines(reference: string, { descriptor, layers }: WrittenContent): string[] {
  const sent = layers.filter(({ sentBytes }) => sentBytes > 0);
  const sentBytes = sent.reduce((sum, layer) => sum + layer.sentBytes, 0);
  return [
    `manifest ${descriptor.digest}`,
    `written  ${reference}`,
    `layers   ${sent.length} written (${formatSize(sentBytes)}) + ${layers.length - sent.length} already present`,
  ];
}

function report(reference: string, { descriptor, sourceDigest, layers }: WrittenContent) {
  return {
    reference,
    manifestDigest: descriptor.digest,
    sourceManifestDigest: sourceDigest,
    layers: layers.map((layer) => ({
      mediaType: layer.descriptor.mediaType,
      digest: layer.descriptor.digest,
      sizeBytes: layer.descriptor.size,
      sentBytes: layer.sentBytes,
    })),
  };
}
