/**
 * How the layers of a written image are compressed: the same options for all verbs that write one, named as in podman.
 */
import type { LayerPacking } from "../../images/index.ts";
import type { Invocation, OptionSpecification } from "./command.ts";

const LAYER_PACKINGS = ["gzip", "zstd", "zstd:chunked", "none"] as const satisfies readonly LayerPacking[];

export const COMPRESSION_OPTIONS = [
  {
    flags: "--compression <FORMAT>",
    summary: "compress layers this way (default: as in the image's manifest)",
    choices: LAYER_PACKINGS,
  },
  { flags: "--preserve-digests", summary: "fail if the manifest would get another digest" },
] as const satisfies readonly OptionSpecification[];

/** The options' values, as writing takes them. */
export function compressionOptions(invocation: Invocation<typeof COMPRESSION_OPTIONS>): {
  readonly packing: LayerPacking | undefined;
  readonly preserveDigests: boolean;
} {
  const given = invocation.option("compression");
  return {
    packing: LAYER_PACKINGS.find((packing) => packing === given),
    preserveDigests: invocation.flag("preserve-digests"),
  };
}
